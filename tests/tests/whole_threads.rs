//! Threads of whole programs: their lives, their ends, and who they are.

use std::process::Command;

use tests::whole::{finish, green, program, same};

#[test]
fn threads_are_joined_and_detached() {
    let said = same("thread_basics", &[]);
    assert!(said.contains("results 2450, destroyed 50, own local 0\n"), "{said}");
}

#[test]
fn an_exit_runs_what_is_to_be_cleaned_up() {
    let said = same("thread_exit", &[]);
    let first = "inner\nouter\nof the key\njoined: result\n";
    assert_eq!(said, format!("{first}first\nof the first thread's key\nat exit\n"));
}

#[test]
fn a_process_ends_with_its_last_thread() {
    let said = same("thread_exit", &["last"]);
    assert!(said.ends_with("the last thread\nat exit\n"), "{said}");
}

#[test]
fn a_green_thread_ends_the_process() {
    assert_eq!(same("thread_exit", &["process"]), "at exit\n");
}

#[test]
fn a_thread_is_known_to_itself_and_to_others() {
    let said = same("thread_identity", &[]);
    assert!(
        said.contains("is called child\n") && said.contains("own stack 0, there 1\n"),
        "{said}"
    );
}

#[test]
fn an_initializer_runs_once() {
    assert_eq!(same("thread_once", &[]), "20 have seen it done, 1\nleft stayed 2\n");
}

#[test]
fn a_thread_with_processors_of_its_own_makes_threads_as_any() {
    assert_eq!(same("bound", &[]), "bound: 0\n".repeat(5) + "100 keys have ended\n");
}

#[test]
fn how_a_thread_computes_with_floating_point_is_its_own() {
    let made = "made by one that rounds up, after an overflow: direction 1, overflow 1\n";
    let said = same("floating", &[]);
    assert!(said.contains(made) && said.contains("wrong 0\n"), "{said}");
}

// Many processors of other kinds cannot trap.
#[cfg(target_arch = "x86_64")]
#[test]
fn where_all_results_that_are_not_exact_trap_nothing_of_the_runtimes_does() {
    use std::os::unix::process::ExitStatusExt;
    let run = |command: &mut Command| {
        let output = finish(command.arg("traps"));
        (output.status.signal(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let program = program("floating");
    let said = run(&mut Command::new(&program));
    assert_eq!(said, (Some(libc::SIGFPE), "nothing was trapped\n".to_owned()));
    assert_eq!(run(green(&mut Command::new(&program))), said);
}

#[test]
fn a_thousand_threads_take_a_few_os_threads() {
    assert_eq!(same("thread_crowd", &[]), "all\n");
    let output = finish(green(Command::new(program("thread_crowd")).arg("count")));
    let said = String::from_utf8_lossy(&output.stdout);
    let count: usize = said.lines().next().and_then(|count| count.parse().ok()).expect(&said);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // Workers and as many that relieve them, the first thread, and what watches.
    assert!(count <= 2 * processors + 4, "{count} OS threads");
}

#[test]
fn a_thread_is_named_by_its_number_and_calls_by_theirs() {
    let seen = same("numbered", &[]);
    assert!(seen.contains("tkill 0, nothing 0, itself 0\non itself 1"), "{seen}");
    assert!(seen.contains("affinity 0 1\nby number 1"), "{seen}");
    assert!(seen.contains("waitid 0, 3"), "{seen}");
}

#[test]
fn a_thread_that_is_an_os_thread_from_its_start_has_all_that_posix_says() {
    let seen = same("os_threads", &[]);
    assert_eq!(
        seen.matches("called maker: 0, on its stack 1, USR1 0, USR2 1, TERM 0").count(),
        2,
        "{seen}"
    );
    assert_eq!(seen.matches("kill 0, handled, cancel 0, cancelled 1").count(), 2, "{seen}");
    assert!(seen.ends_with("out of an overflow\n"), "{seen}");
}
