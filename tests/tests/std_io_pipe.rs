//! `std::io::pipe`: full buffers, ends, broken pipes, duplicates.

tests::on_each! {
    items {
        use std::io::{self, ErrorKind, IoSlice, IoSliceMut, PipeReader, PipeWriter, Read, Write};
        use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        use std::sync::Arc;
        use std::thread;
        use std::time::{Duration, Instant};

        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::ioctl_fionbio;

        const SOON: Duration = Duration::from_millis(20);
        /// Many times what a pipe holds.
        const MUCH: usize = 1_000_000;

        fn pattern(len: usize) -> Vec<u8> {
            (0..len).map(|n| (n % 251) as u8).collect()
        }

        fn is_blocking(fd: impl AsFd) -> bool {
            !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
        }
    }

    fn what_is_written_is_read() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        assert_eq!(writer.write(b"abc").unwrap(), 3);
        let mut buf = [0; 8];
        assert_eq!(reader.read(&mut buf[..2]).unwrap(), 2);
        assert_eq!(reader.read(&mut buf[2..]).unwrap(), 1);
        assert_eq!(&buf[..3], b"abc");
        writer.flush().unwrap();
    }

    fn a_reader_waits_for_a_writer() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let start = Instant::now();
        let late = thread::spawn(move || {
            thread::sleep(SOON);
            writer.write_all(b"late").unwrap();
        });
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "late");
        assert!(start.elapsed() >= SOON);
        late.join().unwrap();
    }

    fn a_writer_waits_for_room() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let writing = thread::spawn(move || {
            let n = writer.write(&pattern(MUCH)).unwrap();
            writer.write_all(&pattern(MUCH)).unwrap();
            n
        });
        thread::sleep(SOON);
        assert!(!writing.is_finished());
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert!(bytes == [pattern(MUCH), pattern(MUCH)].concat());
        // One call has taken all.
        assert_eq!(writing.join().unwrap(), MUCH);
    }

    fn a_vectored_write_takes_all_buffers() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let writing = thread::spawn(move || {
            let bytes = pattern(MUCH);
            let bufs: Vec<_> = bytes.chunks(MUCH / 10).map(IoSlice::new).collect();
            writer.write_vectored(&bufs).unwrap()
        });
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(writing.join().unwrap(), MUCH);
        assert!(bytes == pattern(MUCH));
    }

    fn a_vectored_call_takes_the_first_1024_buffers() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let bufs = vec![IoSlice::new(b"x"); 2000];
        assert_eq!(writer.write_vectored(&bufs).unwrap(), 1024);
        let mut bytes = [[0_u8]; 2000];
        let mut bufs: Vec<_> = bytes.iter_mut().map(|byte| IoSliceMut::new(byte)).collect();
        assert_eq!(reader.read_vectored(&mut bufs[1990..]).unwrap(), 10);
        assert_eq!(reader.read_vectored(&mut bufs).unwrap(), 1014);
    }

    fn the_end_of_the_last_writer_is_the_end_of_the_file() {
        let (mut reader, writer) = io::pipe().unwrap();
        let clone = writer.try_clone().unwrap();
        drop(writer);
        let start = Instant::now();
        let last = thread::spawn(move || {
            thread::sleep(SOON);
            drop(clone);
        });
        for _ in 0..3 {
            assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
        }
        assert!(start.elapsed() >= SOON);
        last.join().unwrap();
    }

    fn to_write_for_nobody_is_a_broken_pipe() {
        let (reader, mut writer) = io::pipe().unwrap();
        let clone = reader.try_clone().unwrap();
        drop(reader);
        writer.write_all(b"for the clone").unwrap();
        drop(clone);
        assert_eq!(writer.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    fn a_writer_that_waits_for_room_learns_that_the_reader_is_gone() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let gone = thread::spawn(move || {
            reader.read_exact(&mut [0]).unwrap();
            thread::sleep(SOON);
            drop(reader);
        });
        // What went into the pipe before is the answer; the error is the next one's.
        let some = writer.write(&pattern(MUCH)).unwrap();
        assert!(0 < some && some < MUCH, "{some}");
        assert_eq!(writer.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
        gone.join().unwrap();
    }

    fn nothing_is_read_and_written_at_once() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        assert_eq!(reader.read_vectored(&mut []).unwrap(), 0);
        // Into a full pipe, too, that somebody has waited for.
        let waiting = thread::spawn({
            let mut writer = writer.try_clone().unwrap();
            move || writer.write(&pattern(MUCH)).unwrap()
        });
        thread::sleep(SOON);
        assert_eq!(writer.write(&[]).unwrap(), 0);
        assert_eq!(writer.write_vectored(&[IoSlice::new(&[])]).unwrap(), 0);
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.len(), waiting.join().unwrap()), (MUCH, MUCH));
    }

    fn several_threads_read_from_one_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Arc::new(reader);
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let reader = reader.clone();
                thread::spawn(move || {
                    let mut sum = 0_u64;
                    let mut byte = [0];
                    while (&*reader).read(&mut byte).unwrap() == 1 {
                        sum += u64::from(byte[0]);
                    }
                    sum
                })
            })
            .collect();
        for _ in 0..20 {
            writer.write_all(&[7; 100]).unwrap();
            thread::yield_now();
        }
        drop(writer);
        let sum: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert_eq!(sum, 20 * 100 * 7);
    }

    fn clones_of_the_writer_write_at_the_same_time() {
        let (mut reader, writer) = io::pipe().unwrap();
        let writers: Vec<_> = (0..8)
            .map(|n| {
                let mut writer = writer.try_clone().unwrap();
                thread::spawn(move || {
                    // What fits into PIPE_BUF is written in one piece.
                    (0..100).for_each(|_| writer.write_all(&[n; 500]).unwrap());
                })
            })
            .collect();
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 8 * 100 * 500);
        assert!(bytes.chunks(500).all(|chunk| chunk.iter().all(|byte| *byte == chunk[0])));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    }

    fn a_hundred_pipes_in_a_row_hand_a_word_on() {
        let (mut first, mut reader) = {
            let (reader, writer) = io::pipe().unwrap();
            (writer, reader)
        };
        let mut hands = Vec::new();
        for _ in 0..100 {
            let (next, mut writer) = io::pipe().unwrap();
            let mut from = std::mem::replace(&mut reader, next);
            hands.push(thread::spawn(move || io::copy(&mut from, &mut writer).unwrap()));
        }
        first.write_all(b"word").unwrap();
        let mut word = [0; 4];
        reader.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"word");
        drop(first);
        assert_eq!(reader.read(&mut word).unwrap(), 0);
        assert!(hands.into_iter().all(|hand| hand.join().unwrap() == 4));
    }

    fn ordinary_threads_and_these_share_a_pipe() {
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Arc::new(reader);
        let ordinary = ::std::thread::spawn({
            let reader = reader.clone();
            move || {
                let mut byte = [0];
                (0..100).filter(|_| (&*reader).read(&mut byte).unwrap() == 1).count()
            }
        });
        let here = thread::spawn(move || {
            let mut byte = [0];
            (0..100).filter(|_| (&*reader).read(&mut byte).unwrap() == 1).count()
        });
        for _ in 0..200 {
            writer.write_all(b".").unwrap();
            thread::yield_now();
        }
        assert_eq!((ordinary.join().unwrap(), here.join().unwrap()), (100, 100));
    }

    fn a_descriptor_that_goes_out_is_a_plain_blocking_one() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        let writing = thread::spawn(move || {
            thread::sleep(SOON);
            writer.write_all(&pattern(MUCH)).unwrap();
            writer
        });
        let mut bytes = vec![0; MUCH];
        reader.read_exact(&mut bytes).unwrap();
        let reader = reader.into_raw_fd();
        // SAFETY: it has come out just now.
        let reader = unsafe { OwnedFd::from_raw_fd(reader) };
        let writer = OwnedFd::from(writing.join().unwrap());
        assert!(is_blocking(&reader) && is_blocking(&writer));
        let (mut reader, mut writer) = (PipeReader::from(reader), PipeWriter::from(writer));
        writer.write_all(b"in again").unwrap();
        drop(writer);
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "in again");
    }

    fn a_descriptor_that_does_not_block_would_block() {
        let (reader, mut writer) = io::pipe().unwrap();
        ioctl_fionbio(&reader, true).unwrap();
        ioctl_fionbio(&writer, true).unwrap();
        // One came in with the flag, the other has got it here.
        let mut reader = PipeReader::from(OwnedFd::from(reader));
        assert_eq!(reader.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        let some = writer.write(&pattern(MUCH)).unwrap();
        assert!(0 < some && some < MUCH);
        assert_eq!(writer.write(b"more").unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 8);
    }

    fn a_pipe_prints_as_in_std() {
        let (reader, writer) = io::pipe().unwrap();
        let printed = format!("{reader:?}");
        assert!(printed.starts_with("PipeReader(") && printed.contains("fd: "), "{printed}");
        assert!(printed.contains(&reader.as_raw_fd().to_string()), "{printed}");
        assert!(format!("{writer:?}").starts_with("PipeWriter("));
    }
}
