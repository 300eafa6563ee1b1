//! Runtimes in the same process: this one, and those in other loaded objects.
//!
//! A program may have the runtime in it, and so may a library that it loads; and `sylvan run` brings one
//! along. Two of them must not be stacked: the workers of the one would be green threads of the other. So
//! each says that it is there, by a note of its object (`.note.sylvan`, which is loaded with it and stays
//! when the object is stripped) that leads to a word:
//!
//! ```text
//!   0  in force, as far as others are concerned
//!   1  aside: another runtime has started since this one was loaded
//! ```
//!
//! Whoever makes a whole program's threads green looks for others when the program begins
//! ([`count`]), and before each thread at the word ([`is_aside`]). A runtime that starts sets the words of all
//! others (`push_aside`): those who may stand aside do so for threads that begin from then on.
//!
//! Both runtimes go on with the threads that they have. To each, those of the other are OS threads, and
//! for what they know of a thread by its number, each numbers its threads from another one on.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

/// The word that the note leads to.
static ASIDE: AtomicU32 = AtomicU32::new(0);

/// The name of the note, with its end.
const NAME: &[u8] = b"sylvan\0";
const TYPE: u32 = 1;

// Weak: where an object has two versions of this crate one note will do. And without `.`, which would be a local
// symbol: what has assembly in it, such as a switch of stacks, is inlined in no other codegen unit where its own has
// one.
std::arch::global_asm!(
    ".pushsection .note.sylvan,\"a\",@note",
    ".balign 4",
    ".weak __sylvan_note",
    ".hidden __sylvan_note",
    "__sylvan_note:",
    ".long 7, 4, {type}",
    ".asciz \"sylvan\"",
    ".balign 4",
    ".long {aside} - __sylvan_note - 20",
    ".popsection",
    aside = sym ASIDE,
    type = const TYPE,
);

unsafe extern "C" {
    #[link_name = "__sylvan_note"]
    static NOTE: [u32; 6];
}

/// Whether another runtime has started since this one was loaded.
#[inline]
pub fn is_aside() -> bool {
    // It publishes nothing.
    ASIDE.load(Ordering::Relaxed) != 0
}

/// How many other loaded objects have a runtime.
pub fn count() -> u32 {
    let mut n = 0;
    for_each(|_| n += 1);
    n
}

/// This runtime starts: others stand aside from now on.
pub(crate) fn push_aside() {
    for_each(|word| word.store(1, Ordering::Relaxed));
}

/// Calls `f` with the word of each other runtime.
fn for_each(mut f: impl FnMut(&AtomicU32)) {
    // So that the object with the note is linked.
    std::hint::black_box(&raw const NOTE);
    let mut f: &mut dyn FnMut(&AtomicU32) = &mut f;
    // SAFETY: `visit` is given what it expects, for the length of the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut f).cast()) };
}

/// Looks at the notes of one loaded object.
///
/// # Safety
///
/// Called by `dl_iterate_phdr` with a pointer to a function.
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    f: *mut c_void,
) -> c_int {
    // SAFETY: `dl_iterate_phdr` passes valid information and what it was given.
    let (info, f) = unsafe { (&*info, &mut *f.cast::<&mut dyn FnMut(&AtomicU32)>()) };
    // SAFETY: the object has that many program headers.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_NOTE) {
        let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        // SAFETY: the segment is loaded, and consists of notes.
        let notes = unsafe {
            slice::from_raw_parts(ptr::with_exposed_provenance(start), header.p_memsz as usize)
        };
        if let Some(word) = find(notes)
            && !ptr::eq(word, &raw const ASIDE)
        {
            // SAFETY: the note is a runtime's, and leads to its word.
            f(unsafe { &*word });
        }
    }
    0
}

/// Where the note leads to, if it is among these.
fn find(mut notes: &[u8]) -> Option<*const AtomicU32> {
    const HEAD: usize = 12;
    const ALIGN: usize = 4;
    while notes.len() > HEAD {
        let number = |at: usize| {
            notes.get(at..at + 4).and_then(|it| it.try_into().ok()).map(u32::from_ne_bytes)
        };
        let (name_len, len) = (number(0)? as usize, number(4)? as usize);
        let name = notes.get(HEAD..HEAD + name_len)?;
        let at = HEAD + name_len.next_multiple_of(ALIGN);
        if name == NAME && len == ALIGN && number(8)? == TYPE {
            let from = notes.get(at..at + ALIGN)?.as_ptr();
            return Some(from.wrapping_offset(number(at)?.cast_signed() as isize).cast());
        }
        notes = notes.get(at + len.next_multiple_of(ALIGN)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_leads_to_the_word() {
        // SAFETY: the note is loaded, and as large.
        let note = unsafe { slice::from_raw_parts((&raw const NOTE).cast::<u8>(), 24) };
        assert_eq!(find(note), Some(&raw const ASIDE));
        push_aside();
        assert!(count() == 0 && !is_aside());
    }
}
