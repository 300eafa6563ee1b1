//! `std::fs`: paths, directories, and what is known of files.

#[path = "std_fs_support/mod.rs"]
mod support;

tests::on_each! {
    items {
        use std::fs::{self, DirBuilder, File};
        use std::io::ErrorKind;
        use std::os::unix::fs::{
            DirBuilderExt, DirEntryExt, FileTypeExt, MetadataExt, PermissionsExt, chown, fchown,
            lchown, symlink,
        };
        use std::path::Path;
        use std::thread;

        use super::support::Scratch;

        fn names(directory: &Path) -> Vec<String> {
            let entries = fs::read_dir(directory).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn what_is_written_is_read() {
        let scratch = Scratch::new();
        let path = scratch.join("file");
        fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        fs::write(&path, b"short").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    fn errors_have_stds_kinds() {
        let scratch = Scratch::new();
        let (file, missing) = (scratch.join("file"), scratch.join("missing"));
        fs::write(&file, "").unwrap();
        let directory = scratch.join("directory");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("inner"), "").unwrap();
        let kinds = [
            (fs::read(&missing).unwrap_err().kind(), ErrorKind::NotFound),
            (fs::remove_file(&missing).unwrap_err().kind(), ErrorKind::NotFound),
            (fs::metadata(&missing).unwrap_err().kind(), ErrorKind::NotFound),
            (fs::canonicalize(&missing).unwrap_err().kind(), ErrorKind::NotFound),
            (fs::read_dir(&missing).unwrap_err().kind(), ErrorKind::NotFound),
            (fs::rename(&missing, &file).unwrap_err().kind(), ErrorKind::NotFound),
            (fs::create_dir(&file).unwrap_err().kind(), ErrorKind::AlreadyExists),
            (fs::hard_link(&file, &directory).unwrap_err().kind(), ErrorKind::AlreadyExists),
            (fs::read_link(&file).unwrap_err().kind(), ErrorKind::InvalidInput),
            (fs::read_dir(&file).unwrap_err().kind(), ErrorKind::NotADirectory),
            (fs::read(&directory).unwrap_err().kind(), ErrorKind::IsADirectory),
            (fs::remove_dir(&directory).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty),
            (fs::read("with\0nul").unwrap_err().kind(), ErrorKind::InvalidInput),
        ];
        for (n, (kind, expected)) in kinds.into_iter().enumerate() {
            assert_eq!(kind, expected, "line {n}");
        }
    }

    fn directories_are_made_listed_and_removed() {
        let scratch = Scratch::new();
        let deep = scratch.join("a/b/c");
        assert_eq!(fs::create_dir(&deep).unwrap_err().kind(), ErrorKind::NotFound);
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(&deep).unwrap();
        for n in 0..50 {
            fs::write(deep.join(format!("{n:02}")), "").unwrap();
        }
        assert!(names(&deep).into_iter().eq((0..50).map(|n| format!("{n:02}"))));
        assert_eq!(names(&scratch.join("a")), ["b"]);
        fs::remove_dir_all(scratch.join("a")).unwrap();
        assert!(!fs::exists(scratch.join("a")).unwrap());
        fs::create_dir(scratch.join("a")).unwrap();
        fs::remove_dir(scratch.join("a")).unwrap();
        assert!(names(&scratch).is_empty());
    }

    fn an_entry_tells_what_it_is() {
        let scratch = Scratch::new();
        fs::write(scratch.join("file"), "12345").unwrap();
        symlink("file", scratch.join("link")).unwrap();
        let entries: Vec<_> =
            fs::read_dir(&*scratch).unwrap().map(|entry| entry.unwrap()).collect();
        let find = |name| entries.iter().find(|entry| entry.file_name() == name).unwrap();
        let (file, link) = (find("file"), find("link"));
        assert_eq!(file.path(), scratch.join("file"));
        assert!(file.file_type().unwrap().is_file() && link.file_type().unwrap().is_symlink());
        assert_eq!(file.metadata().unwrap().len(), 5);
        assert!(link.metadata().unwrap().is_symlink());
        assert_eq!(file.ino(), fs::metadata(scratch.join("file")).unwrap().ino());
        assert_eq!(format!("{file:?}"), format!("DirEntry({:?})", file.path()));
        let directory = fs::read_dir(&*scratch).unwrap();
        assert_eq!(format!("{directory:?}"), format!("ReadDir({:?})", &*scratch));
    }

    fn a_builder_makes_directories_with_its_mode() {
        let scratch = Scratch::new();
        let deep = scratch.join("a/b");
        assert!(DirBuilder::new().create(&deep).is_err());
        DirBuilder::new().recursive(true).mode(0o700).create(&deep).unwrap();
        assert_eq!(fs::metadata(&deep).unwrap().mode() & 0o777, 0o700);
        let printed = format!("{:?}", DirBuilder::new());
        assert!(printed.starts_with("DirBuilder {"), "{printed}");
    }

    fn files_change_their_names_and_are_copied() {
        let scratch = Scratch::new();
        let (one, two, three) = (scratch.join("one"), scratch.join("two"), scratch.join("three"));
        fs::write(&one, "contents").unwrap();
        fs::write(&two, "to be replaced").unwrap();
        fs::rename(&one, &two).unwrap();
        assert!(!fs::exists(&one).unwrap());
        assert_eq!(fs::copy(&two, &three).unwrap(), 8);
        assert_eq!(fs::read_to_string(&three).unwrap(), "contents");
        fs::remove_file(&two).unwrap();
        assert_eq!(names(&scratch), ["three"]);
    }

    #[allow(deprecated, reason = "`soft_link` is there, too")]
    fn links_lead_to_files() {
        let scratch = Scratch::new();
        let (file, hard) = (scratch.join("file"), scratch.join("hard"));
        let (soft, old) = (scratch.join("soft"), scratch.join("old"));
        fs::write(&file, "contents").unwrap();
        fs::hard_link(&file, &hard).unwrap();
        symlink(&file, &soft).unwrap();
        fs::soft_link("file", &old).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().nlink(), 2);
        assert_eq!(fs::read_link(&soft).unwrap(), file);
        assert_eq!(fs::read_link(&old).unwrap(), Path::new("file"));
        assert_eq!(fs::read_to_string(&soft).unwrap(), "contents");
        assert!(fs::symlink_metadata(&soft).unwrap().file_type().is_symlink());
        assert!(fs::metadata(&soft).unwrap().is_file());
        assert_eq!(fs::canonicalize(&soft).unwrap(), fs::canonicalize(&file).unwrap());
        fs::remove_file(&file).unwrap();
        assert!(!fs::exists(&soft).unwrap() && fs::exists(&hard).unwrap());
    }

    fn permissions_are_set() {
        let scratch = Scratch::new();
        let path = scratch.join("file");
        fs::write(&path, "").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_mode(0o640);
        fs::set_permissions(&path, permissions).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        assert!(fs::metadata(&path).unwrap().permissions().readonly());
    }

    fn the_owner_is_set() {
        let scratch = Scratch::new();
        let (path, link) = (scratch.join("file"), scratch.join("link"));
        fs::write(&path, "").unwrap();
        symlink("file", &link).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let (uid, gid) = (Some(metadata.uid()), Some(metadata.gid()));
        chown(&path, uid, None).unwrap();
        fchown(File::open(&path).unwrap(), None, gid).unwrap();
        lchown(&link, uid, gid).unwrap();
        let missing = chown(scratch.join("missing"), uid, gid).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    fn what_is_no_file_says_what_it_is() {
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert!(fs::metadata("/").unwrap().is_dir());
        assert!(!fs::metadata("/").unwrap().file_type().is_socket());
    }

    fn many_threads_use_many_files() {
        let scratch = Scratch::new();
        thread::scope(|scope| {
            for n in 0..200 {
                let path = scratch.join(n.to_string());
                scope.spawn(move || {
                    let contents = n.to_string().repeat(1000);
                    fs::write(&path, &contents).unwrap();
                    assert_eq!(fs::read_to_string(&path).unwrap(), contents);
                    fs::remove_file(&path).unwrap();
                });
            }
        });
        assert!(names(&scratch).is_empty());
    }
}
