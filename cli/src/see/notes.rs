//! The notes of an object in memory.

use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD, PT_NOTE, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

/// What addresses of mappings are multiples of, at least.
pub(crate) const PAGE: u64 = 4096;

/// Segments of an object, by the addresses in its file.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// The first that is loaded.
    pub(crate) first_load: u64,
    /// Address and length of each that has notes.
    pub(crate) notes: Vec<(u64, u64)>,
}

/// Those of the object whose first bytes `read` reads; `None` if it is none.
pub(crate) fn segments(read: impl Fn(u64, &mut [u8]) -> bool) -> Option<Segments> {
    const HEAD: usize = size_of::<FileHeader64<Endianness>>();
    /// No object has as many.
    const MOST: usize = 256;
    let mut head = vec![0; HEAD];
    if !read(0, &mut head) {
        return None;
    }
    let header = FileHeader64::<Endianness>::parse(&*head).ok()?;
    let endian = header.endian().ok()?;
    let (start, n) = (header.e_phoff(endian), usize::from(header.e_phnum(endian)).min(MOST));
    let end =
        usize::try_from(start).ok()?.checked_add(n * size_of::<ProgramHeader64<Endianness>>())?;
    if end > MOST * PAGE as usize {
        return None;
    }
    let mut bytes = vec![0; end.max(HEAD)];
    if !read(0, &mut bytes) {
        return None;
    }
    let header = FileHeader64::<Endianness>::parse(&*bytes).ok()?;
    let headers = header.program_headers(endian, &*bytes).ok()?;
    let of = |kind| headers.iter().filter(move |header| header.p_type(endian) == kind);
    let notes = of(PT_NOTE).map(|header| (header.p_vaddr(endian), header.p_memsz(endian)));
    let first_load = of(PT_LOAD).map(|header| header.p_vaddr(endian)).min()?;
    Some(Segments { first_load, notes: notes.collect() })
}
