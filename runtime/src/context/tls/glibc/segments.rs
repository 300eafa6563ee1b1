//! The thread-locals of the loaded objects: their places in a block, and their initial images.
//!
//! An image is read where its object has it, each time that a block is used again. So the object is to
//! stay: one that was loaded by `dlopen` before the runtime started, and is to go by `dlclose`, is held.
//! POSIX leaves it to the system when an object goes.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ops::Range;
use std::ptr;
use std::slice;

/// The thread-locals of one loaded object: where they lie in a block, and their initial image.
pub(super) struct Segment {
    /// From the thread pointer.
    pub(super) offset: isize,
    pub(super) image: &'static [u8],
    pub(super) len: usize,
}

/// The thread-locals of every loaded object but libc and the loader.
pub(super) struct Segments {
    /// Those in the static block.
    pub(super) found: Vec<Segment>,
    /// There are others.
    pub(super) any_dynamic: bool,
    /// How far the static block is in use, from the thread pointer; libc and the loader included.
    pub(super) static_used: usize,
}

impl Search {
    /// Looks at all objects, from a thread that is newer than any of them. Its thread pointer is `here`, in
    /// its `block`.
    pub(super) fn of(here: usize, block: &Range<usize>) -> Self {
        let mut search = Self {
            found: Vec::new(),
            any_dynamic: false,
            static_used: 0,
            here,
            block: block.clone(),
        };
        // SAFETY: `visit` is given the search that it expects, for the length of the call.
        unsafe { libc::dl_iterate_phdr(Some(visit), ptr::from_mut(&mut search).cast()) };
        search
    }

    /// Sees to it that what was found stays loaded. Not in `visit`, nor on the thread that has searched: it
    /// takes locks of the loader's.
    pub(super) fn hold(self) -> Segments {
        let held = self.found.into_iter().filter(|object| hold(&object.name)).map(|object| {
            let image = ptr::with_exposed_provenance(object.image);
            // SAFETY: the object's own image, of that length, and it stays loaded.
            let image = unsafe { slice::from_raw_parts(image, object.image_len) };
            Segment { offset: object.offset, image, len: object.len }
        });
        Segments {
            found: held.collect(),
            any_dynamic: self.any_dynamic,
            static_used: self.static_used,
        }
    }
}

/// What there is, as a thread of its own sees it.
pub(super) struct Search {
    found: Vec<Object>,
    any_dynamic: bool,
    static_used: usize,
    here: usize,
    block: Range<usize>,
}

/// A loaded object, and its segment.
struct Object {
    name: CString,
    offset: isize,
    /// Its address.
    image: usize,
    image_len: usize,
    len: usize,
}

/// Notes one loaded object.
///
/// # Safety
///
/// Called by `dl_iterate_phdr` with a `Search`.
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    search: *mut c_void,
) -> c_int {
    // SAFETY: `dl_iterate_phdr` passes valid information and what it was given.
    let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
    if info.dlpi_tls_modid == 0 {
        return 0;
    }
    let name = if info.dlpi_name.is_null() {
        c""
    } else {
        // SAFETY: the loader passes a C string.
        unsafe { CStr::from_ptr(info.dlpi_name) }
    };
    let is_libc = is_libc(name);
    let start = info.dlpi_tls_data.addr();
    if !search.block.contains(&start) {
        search.any_dynamic |= !is_libc;
        return 0;
    }
    for index in 0..usize::from(info.dlpi_phnum) {
        // SAFETY: the object has that many program headers.
        let header = unsafe { &*info.dlpi_phdr.add(index) };
        if header.p_type != libc::PT_TLS {
            continue;
        }
        let used = if start < search.here {
            search.here - start
        } else {
            start + header.p_memsz as usize - search.here
        };
        search.static_used = search.static_used.max(used);
        if !is_libc {
            let image = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            search.found.push(Object {
                name: name.to_owned(),
                offset: start.wrapping_sub(search.here).cast_signed(),
                image,
                image_len: header.p_filesz as usize,
                len: header.p_memsz as usize,
            });
        }
    }
    0
}

fn is_libc(name: &CStr) -> bool {
    let name = name.to_bytes();
    let file = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    [&b"libc.so"[..], b"libc-", b"ld-linux", b"ld-"].iter().any(|prefix| file.starts_with(prefix))
}

/// Sees to it that an object stays loaded; `false` if it has gone.
fn hold(name: &CStr) -> bool {
    // The program itself has no name, and stays.
    // SAFETY: loads nothing: it counts one more user of what is there, for good.
    name.is_empty()
        || !unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) }.is_null()
}
