//! `std::fs::File` and how it is opened.

#[path = "std_fs_support/mod.rs"]
mod support;

tests::on_each! {
    items {
        use std::fs::{self, File, FileTimes, OpenOptions, TryLockError};
        use std::io::{
            self, BufRead, BufReader, BufWriter, ErrorKind, IoSlice, IoSliceMut, Read, Seek,
            SeekFrom, Write,
        };
        use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
        use std::sync::Arc;
        use std::thread;
        use std::time::{Duration, Instant, SystemTime};

        use super::support::Scratch;

        const SOON: Duration = Duration::from_millis(20);

        /// A file with `contents`, open to be read and written, at its start.
        fn file(scratch: &Scratch, contents: &str) -> File {
            let path = scratch.join("file");
            fs::write(&path, contents).unwrap();
            OpenOptions::new().read(true).write(true).open(path).unwrap()
        }
    }

    fn a_file_is_opened_as_asked() {
        let scratch = Scratch::new();
        let path = scratch.join("file");
        assert_eq!(File::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        File::create(&path).unwrap().write_all(b"contents").unwrap();
        assert_eq!(File::create_new(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let nothing = OpenOptions::new().open(&path).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::InvalidInput);
        let exists = File::options().write(true).create_new(true).open(&path).unwrap_err();
        assert_eq!(exists.kind(), ErrorKind::AlreadyExists);
        // To be read only.
        assert!(File::open(&path).unwrap().write(b"x").is_err());

        let mut append = OpenOptions::new();
        append.append(true);
        append.clone().open(&path).unwrap().write_all(b" and more").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "contents and more");
        OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");

        let other = scratch.join("other");
        File::options().write(true).create(true).truncate(false).mode(0o600).open(&other).unwrap();
        assert_eq!(fs::metadata(&other).unwrap().mode() & 0o777, 0o600);
        let mut only_directories = OpenOptions::new();
        only_directories.read(true).custom_flags(libc::O_DIRECTORY);
        assert_eq!(only_directories.open(&other).unwrap_err().kind(), ErrorKind::NotADirectory);
        let printed = format!("{append:?}");
        assert!(printed.starts_with("OpenOptions") && printed.contains("append: true"));
    }

    fn a_file_is_read_written_and_sought() {
        let scratch = Scratch::new();
        let mut file = file(&scratch, "");
        assert_eq!(file.write(b"0123").unwrap(), 4);
        let bufs = [IoSlice::new(b"45"), IoSlice::new(b"6789")];
        assert_eq!(file.write_vectored(&bufs).unwrap(), 6);
        file.flush().unwrap();
        assert_eq!(file.stream_position().unwrap(), 10);
        assert_eq!(file.read(&mut [0; 4]).unwrap(), 0);
        assert_eq!(file.seek(SeekFrom::Start(2)).unwrap(), 2);
        let (mut one, mut two) = ([0; 1], [0; 3]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(file.read_vectored(&mut bufs).unwrap(), 4);
        assert_eq!((&one, &two), (b"2", b"345"));
        assert_eq!(file.seek(SeekFrom::End(-2)).unwrap(), 8);
        let mut rest = Vec::new();
        assert_eq!(file.read_to_end(&mut rest).unwrap(), 2);
        assert_eq!(rest, b"89");
        let before = file.seek(SeekFrom::Current(-20)).unwrap_err();
        assert_eq!(before.kind(), ErrorKind::InvalidInput);
        file.rewind().unwrap();
        let mut all = String::from("all: ");
        assert_eq!(file.read_to_string(&mut all).unwrap(), 10);
        assert_eq!(all, "all: 0123456789");
        assert_eq!(file.read(&mut []).unwrap() + file.write(&[]).unwrap(), 0);
    }

    fn a_shared_reference_reads_and_writes() {
        let scratch = Scratch::new();
        let file = Arc::new(file(&scratch, "contents"));
        let mut start = [0; 3];
        (&*file).read_exact(&mut start).unwrap();
        (&*file).write_all(b"!").unwrap();
        (&*file).seek(SeekFrom::Start(0)).unwrap();
        assert_eq!(io::read_to_string(&*file).unwrap(), "con!ents");
    }

    fn stds_adapters_take_a_file() {
        let scratch = Scratch::new();
        let file = file(&scratch, "");
        let mut writer = BufWriter::new(&file);
        (0..1000).for_each(|n| writeln!(writer, "{n}").unwrap());
        writer.flush().unwrap();
        (&file).rewind().unwrap();
        let lines = BufReader::new(&file).lines().map(|line| line.unwrap().parse::<u32>().unwrap());
        assert!(lines.eq(0..1000));
        let copied = io::copy(&mut File::open(scratch.join("file")).unwrap(), &mut io::sink());
        assert_eq!(copied.unwrap(), 3890);
    }

    fn positions_are_named_without_being_moved() {
        let scratch = Scratch::new();
        let mut file = file(&scratch, "0123456789");
        let mut two = [0; 2];
        assert_eq!(file.read_at(&mut two, 7).unwrap(), 2);
        assert_eq!(&two, b"78");
        file.write_all_at(b"ab", 4).unwrap();
        assert_eq!(file.write_at(b"c", 6).unwrap(), 1);
        file.read_exact_at(&mut two, 5).unwrap();
        assert_eq!(&two, b"bc");
        let error = file.read_exact_at(&mut two, 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(file.stream_position().unwrap(), 0);
    }

    fn the_length_is_set() {
        let scratch = Scratch::new();
        let file = file(&scratch, "0123456789");
        file.set_len(3).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3);
        file.set_len(5).unwrap();
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        assert_eq!(fs::read(scratch.join("file")).unwrap(), b"012\0\0");
        let read_only = File::open(scratch.join("file")).unwrap();
        assert_eq!(read_only.set_len(0).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    fn times_and_permissions_are_set() {
        let scratch = Scratch::new();
        let file = file(&scratch, "");
        const DAY: Duration = Duration::from_secs(86_400);
        let day = SystemTime::UNIX_EPOCH + DAY;
        file.set_modified(day).unwrap();
        assert_eq!(file.metadata().unwrap().modified().unwrap(), day);
        file.set_times(FileTimes::new().set_accessed(day).set_modified(day + DAY)).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.accessed().unwrap(), day);
        assert_eq!(metadata.mtime(), 2 * 86_400);
        let mut permissions = metadata.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions).unwrap();
        assert!(file.metadata().unwrap().permissions().readonly());
    }

    fn a_clone_shares_the_position() {
        let scratch = Scratch::new();
        let mut file = file(&scratch, "0123456789");
        let mut clone = file.try_clone().unwrap();
        file.seek(SeekFrom::Start(4)).unwrap();
        let mut two = [0; 2];
        clone.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"45");
        assert_eq!(file.stream_position().unwrap(), 6);
    }

    fn a_locked_file_is_tried_in_vain() {
        let scratch = Scratch::new();
        let file = file(&scratch, "");
        let other = File::open(scratch.join("file")).unwrap();
        file.lock().unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        assert!(matches!(other.try_lock_shared(), Err(TryLockError::WouldBlock)));
        file.unlock().unwrap();
        file.lock_shared().unwrap();
        other.try_lock_shared().unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(file);
        other.try_lock().unwrap();
        assert_eq!(TryLockError::WouldBlock.to_string(), other_message());

        fn other_message() -> String {
            ::std::fs::TryLockError::WouldBlock.to_string()
        }
    }

    fn who_locks_a_locked_file_waits() {
        let scratch = Scratch::new();
        let file = file(&scratch, "");
        file.lock().unwrap();
        let start = Instant::now();
        let waiting: Vec<_> = (0..10)
            .map(|n| {
                let other = File::open(scratch.join("file")).unwrap();
                thread::spawn(move || {
                    match n % 2 {
                        0 => other.lock().unwrap(),
                        _ => other.lock_shared().unwrap(),
                    }
                    start.elapsed()
                })
            })
            .collect();
        thread::sleep(SOON);
        file.unlock().unwrap();
        assert!(waiting.into_iter().all(|waiting| waiting.join().unwrap() >= SOON));
    }

    fn a_file_goes_out_and_comes_in_as_a_descriptor() {
        let scratch = Scratch::new();
        let file = file(&scratch, "0123456789");
        let number = file.as_raw_fd();
        let raw = file.into_raw_fd();
        assert_eq!(raw, number);
        // SAFETY: it has come out just now.
        let file = unsafe { File::from_raw_fd(raw) };
        let mut file = File::from(OwnedFd::from(file));
        assert_eq!(io::read_to_string(&mut file).unwrap(), "0123456789");
        let printed = format!("{file:?}");
        let expected = format!("File {{ fd: {number}, path: ");
        assert!(printed.starts_with(&expected), "{printed}");
        assert!(printed.ends_with("read: true, write: true }"), "{printed}");
    }

    fn a_fifo_joins_two_threads() {
        let scratch = Scratch::new();
        let path = scratch.join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let reader = thread::spawn({
            let path = path.clone();
            move || fs::read_to_string(path).unwrap()
        });
        let mut writer = OpenOptions::new().write(true).open(path).unwrap();
        writer.write_all(b"through").unwrap();
        drop(writer);
        assert_eq!(reader.join().unwrap(), "through");
    }
}
