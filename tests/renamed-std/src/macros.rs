//! Macros, derives and attributes, by their paths as well as bare.

use std::cell::Cell;

std::thread_local! {
    /// Declared by path.
    pub static BY_PATH: Cell<u32> = const { Cell::new(1) };
}

thread_local! {
    /// Declared bare, and of the same type.
    pub static BARE: Cell<u32> = const { Cell::new(1) };
}

/// Has every trait that std derives.
#[derive(
    std::clone::Clone,
    std::marker::Copy,
    std::fmt::Debug,
    std::default::Default,
    std::cmp::PartialEq,
    std::cmp::Eq,
    std::cmp::PartialOrd,
    std::cmp::Ord,
    std::hash::Hash,
)]
pub struct ByPath(pub u8);

/// As [`ByPath`], by the prelude's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bare(pub u8);

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::panic::catch_unwind;
    use std::prelude::v1::*;
    use std::thread::{self, LocalKey};

    use super::*;

    #[test]
    fn a_thread_local_is_one_however_it_was_declared() {
        let keys: [&'static LocalKey<Cell<u32>>; 2] = [&BY_PATH, &BARE];
        for key in keys {
            key.set(2);
            assert_eq!(thread::spawn(move || key.replace(3)).join().unwrap(), 1);
            assert_eq!(key.get(), 2);
        }
    }

    #[std::prelude::v1::test]
    fn derives_by_path_are_the_bare_ones() {
        std::assert_eq!(std::format!("{:?}", ByPath(1)), "ByPath(1)");
        std::assert_eq!(format!("{:?}", Bare::default().max(Bare(1))), "Bare(1)");
    }

    #[test]
    fn the_roots_macros_say_what_the_bare_ones_say() {
        std::assert!(std::matches!(Some(1), Some(n) if n > 0));
        std::assert_ne!(std::line!(), 0);
        std::debug_assert!(std::file!().ends_with(".rs"));
        std::assert_ne!(std::column!(), 0);
        std::debug_assert_eq!(std::file!(), file!());
        std::debug_assert_ne!(std::module_path!(), "");
        assert_eq!(std::concat!("a", 1), std::stringify!(a1));
        assert_eq!(std::cfg!(test), cfg!(test));
        assert_eq!(std::env!("CARGO_PKG_NAME"), env!("CARGO_PKG_NAME"));
        assert_eq!(std::option_env!("CARGO_PKG_NAME"), Some(env!("CARGO_PKG_NAME")));
        assert_eq!(std::include_str!("types.rs").as_bytes(), std::include_bytes!("types.rs"));
        assert_eq!(std::cfg_select! { test => { "test" } _ => { "no test" } }, "test");
        assert_eq!(std::vec![1; 2], vec![1, 1]);
        assert_eq!(std::dbg!(std::format_args!("{}", 1).to_string()), "1");

        let mut text = std::string::String::new();
        std::write!(text, "{}", 1).unwrap();
        std::writeln!(text, "{text}", text = 2).unwrap();
        assert_eq!(text, "12\n");

        std::print!("out");
        std::println!(" and a line of {}", 1 + 1);
        std::eprint!("err");
        std::eprintln!(" and a line of {}", 1 + 1);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn features_of_the_processor_can_be_asked_for() {
        assert!(std::is_x86_feature_detected!("sse2"));
        assert!(std::arch::is_x86_feature_detected!("sse2"));
    }

    #[test]
    fn the_roots_panics_panic() {
        let message = |panics: fn()| {
            *catch_unwind(panics).unwrap_err().downcast::<&str>().expect("a plain message")
        };
        assert_eq!(message(|| std::panic!("by path")), "by path");
        assert_eq!(message(|| std::todo!()), "not yet implemented");
        assert_eq!(message(|| std::unimplemented!()), "not implemented");
        let message = message(|| std::unreachable!());
        assert_eq!(message, "internal error: entered unreachable code");
    }

    #[test]
    #[allow(deprecated, reason = "it is a macro of the root all the same")]
    fn try_is_a_macro_too() {
        fn parse(text: &str) -> Result<i32, std::num::ParseIntError> {
            Ok(std::r#try!(text.parse::<i32>()) + 1)
        }
        assert_eq!(parse("1"), Ok(2));
        parse("one").unwrap_err();
    }
}
