//! The segments of an object in memory.

use std::ops::Range;

use object::Endianness;
use object::elf::{FileHeader64, PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

/// What addresses of mappings are multiples of, at least.
pub(crate) const PAGE: u64 = 4096;

/// Segments of an object, by the addresses in its file.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// Those that are loaded, in the order of their addresses: one at least.
    pub(crate) loads: Vec<Range<u64>>,
    /// Those that have notes.
    pub(crate) notes: Vec<Range<u64>>,
    /// The one that leads to how frames are unwound.
    pub(crate) eh_frame_hdr: Option<Range<u64>>,
}

impl Segments {
    /// Where the object begins, by the addresses in its file.
    pub(crate) fn base(&self) -> u64 {
        self.loads.first().map_or(0, |load| load.start & !(PAGE - 1))
    }
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
    let ranges = |kind| -> Vec<_> {
        let range = |header: &ProgramHeader64<_>| {
            let start = header.p_vaddr(endian);
            start..start.saturating_add(header.p_memsz(endian))
        };
        of(kind).map(range).collect()
    };
    let mut loads = ranges(PT_LOAD);
    loads.sort_by_key(|load| load.start);
    let eh_frame_hdr = ranges(PT_GNU_EH_FRAME).into_iter().next();
    (!loads.is_empty()).then(|| Segments { loads, notes: ranges(PT_NOTE), eh_frame_hdr })
}
