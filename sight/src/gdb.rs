//! The script that has gdb show green threads.

/// As an entry of `.debug_gdb_scripts`, the section that gdb runs scripts from: its kind (Python, as a whole), a
/// line with its name, and a zero behind it.
pub const ENTRY: &str = concat!("\u{4}sylvan\n", include_str!("gdb.py"), "\0");
