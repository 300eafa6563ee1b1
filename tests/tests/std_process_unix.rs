//! `std::os::unix::process`: what only a child on Unix has.

tests::on_each! {
    items {
        use std::env;
        use std::io::{self, ErrorKind};
        use std::os::unix::process::CommandExt;
        use std::process::{self, Command, Output};

        const IN_CHILD: &str = "STD_PROCESS_UNIX_CHILD";

        /// Runs the test named `fact` in a child, where this function runs `scene` and returns
        /// nothing; elsewhere, how the child ended.
        fn in_child(fact: &str, scene: impl FnOnce()) -> Option<Output> {
            if env::var_os(IN_CHILD).is_some() {
                scene();
                return None;
            }
            let (_, module) = module_path!().split_once("::").expect("a module of this file");
            let child = Command::new(env::current_exe().expect("the path of this test"))
                .args(["--exact", &format!("{module}::{fact}"), "--nocapture"])
                .env(IN_CHILD, "")
                .output();
            Some(child.expect("a child"))
        }
    }

    fn a_child_is_called_by_argument_zero() {
        let output = Command::new("sh").arg0("called").args(["-c", "echo $0"]).output().unwrap();
        assert_eq!(output.stdout, b"called\n");
    }

    fn a_child_leads_its_own_process_group() {
        let output = Command::new("sh").args(["-c", "echo $$; ps -o pgid= -p $$"])
            .process_group(0)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let numbers: Vec<_> = said.split_whitespace().collect();
        assert_eq!(numbers.len(), 2, "{said}");
        assert_eq!(numbers[0], numbers[1]);
    }

    fn pre_exec_runs_in_the_child() {
        let mut command = Command::new("sh");
        command.args(["-c", "umask"]);
        // SAFETY: `umask` is safe in a signal handler.
        unsafe {
            command.pre_exec(|| {
                libc::umask(0o123);
                Ok(())
            });
        }
        assert_eq!(command.output().unwrap().stdout, b"0123\n");
    }

    fn an_error_of_pre_exec_is_spawns() {
        let mut command = Command::new("true");
        // SAFETY: to make this error takes no memory.
        unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(libc::EACCES))) };
        assert_eq!(command.spawn().unwrap_err().kind(), ErrorKind::PermissionDenied);
    }

    fn a_child_runs_as_the_user_and_group_that_are_set() {
        // SAFETY: asks for two numbers.
        let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
        let output = Command::new("sh").args(["-c", "id -u; id -g"]).uid(uid).gid(gid).output();
        let said = String::from_utf8(output.unwrap().stdout).unwrap();
        assert_eq!(said, format!("{uid}\n{gid}\n"));
    }

    fn exec_puts_another_program_in_place_of_this_one() {
        let child = in_child("exec_puts_another_program_in_place_of_this_one", || {
            let script = format!("[ $$ = {} ] && echo in place; exit 9", process::id());
            let error = Command::new("sh").args(["-c", &script]).exec();
            panic!("{error}");
        });
        let Some(child) = child else { return };
        assert_eq!(child.status.code(), Some(9));
        assert!(child.stdout.ends_with(b"in place\n"));
    }

    fn exec_of_what_is_not_there_returns_the_error() {
        let error = Command::new("there is no such program").exec();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    fn exit_ends_the_process_with_its_code() {
        let child = in_child("exit_ends_the_process_with_its_code", || {
            print!("without a newline");
            process::exit(11);
        });
        let Some(child) = child else { return };
        assert_eq!(child.status.code(), Some(11));
        assert!(child.stdout.ends_with(b"without a newline"));
    }
}
