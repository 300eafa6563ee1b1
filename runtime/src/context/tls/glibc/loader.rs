//! What `ld.so` knows of the static block, and what it is told of it.
//!
//! A library that is loaded later has its thread-locals outside the static block, unless it was built
//! to have them in it. For the latter glibc keeps a *surplus* in each thread's block, 1,664 bytes. Of
//! these, 144 are reckoned for the libraries of the program (`libgomp` takes 136), and the rest for those of
//! further namespaces (`dlmopen`), each with a libc of its own, and for the following.
//!
//! # Libraries that can do without
//!
//! `ld.so` uses 512 bytes of the surplus to make thread-locals faster that are reached by TLS
//! descriptors, as is usual on aarch64. A small library that is loaded later gets a part of each
//! thread's block, which `ld.so` initializes in the threads that it knows. It does not know the green
//! ones. So that use is taken away, as the tunable `glibc.rtld.optional_static_tls=0` does.
//!
//! # A block and the first frames in one page
//!
//! On x86-64 the surplus lies in the middle of what every thread touches: thread-locals above it,
//! frames below it. Without most of it, that fits into one page instead of two. So `ld.so` is told
//! that the static block is smaller. A library that needs more of it than is left fails to load, with
//! the error that it gets where it needs more than the surplus. A program that has asked for more than
//! the usual surplus, by a tunable, keeps it.
//!
//! The size is a word that `ld.so` makes read-only after its start, and that an exported function
//! tells. It is found by its value and its neighbour's, written by way of `/proc/self/mem`, and counts
//! as changed if that function says so. OS threads that run already keep their larger block, of which
//! nobody uses what is gone.
//!
//! # What is not as expected stays as it is
//!
//! glibc describes for debuggers where its list of modules hangs; the words around it are, since
//! glibc 2.34, those of [`Loader`]. What is known from elsewhere must be found in them. Another thread
//! may load a library at the same time: if it has got a place in the block, the old size is put back.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::IntoRawFd;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags, open};

use super::symbol;
use crate::sys::file;

/// Words of `ld.so`, from the number of its last module on.
#[repr(C)]
pub(super) struct Loader {
    last_module: AtomicUsize,
    modules: AtomicUsize,
    n_static_modules: AtomicUsize,
    static_used: AtomicUsize,
    /// What is left for libraries that can do without.
    static_optional: AtomicUsize,
    initial_dtv: AtomicUsize,
    generation: AtomicUsize,
}

/// The static block, as `ld.so` tells it to whoever makes a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct StaticBlock {
    /// On x86-64 with `struct pthread`.
    pub(super) size: usize,
    pub(super) align: usize,
}

impl StaticBlock {
    pub(super) fn current() -> io::Result<Self> {
        let (mut size, mut align) = (0, 0);
        let info = symbol(c"_dl_get_tls_static_info")?;
        // SAFETY: the symbol is a function of this type in every glibc that has it.
        unsafe {
            let info: unsafe extern "C" fn(*mut usize, *mut usize) = std::mem::transmute(info);
            info(&raw mut size, &raw mut align);
        }
        Ok(Self { size, align })
    }

    /// Where `ld.so` has its size.
    fn find(self) -> io::Result<*const usize> {
        let start = symbol(c"_rtld_global_ro")?.cast::<usize>().cast_const();
        // SAFETY: the object is that large, it consists of words for the most part, and what `ld.so` has
        // made read-only does not change.
        let words =
            unsafe { slice::from_raw_parts(start, size_of_symbol(start)? / size_of::<usize>()) };
        let mut found = words.windows(2).filter(|pair| **pair == [self.size, self.align]);
        match (found.next(), found.next()) {
            (Some(pair), None) => Ok(pair.as_ptr()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// How large the object is that starts at `address`.
fn size_of_symbol(address: *const usize) -> io::Result<usize> {
    /// `RTLD_DL_SYMENT`: asks for the symbol's entry in its table.
    const SYMBOL_ENTRY: c_int = 1;
    type Dladdr1 = unsafe extern "C" fn(
        *const c_void,
        *mut libc::Dl_info,
        *mut *const libc::Elf64_Sym,
        c_int,
    ) -> c_int;
    let dladdr1 = symbol(c"dladdr1")?;
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    let mut entry = std::ptr::null();
    // SAFETY: the symbol is a function of this type, which fills both if it returns other than 0.
    unsafe {
        let dladdr1: Dladdr1 = std::mem::transmute(dladdr1);
        let found = dladdr1(address.cast(), info.as_mut_ptr(), &raw mut entry, SYMBOL_ENTRY);
        if found == 0
            || entry.is_null()
            || info.assume_init().dli_saddr.cast_const() != address.cast()
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((*entry).st_size as usize)
    }
}

/// Writes a word of this process that is read-only.
fn write_protected(word: *const usize, value: usize) -> io::Result<()> {
    let memory = open(c"/proc/self/mem", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    let written = rustix::io::pwrite(&memory, &value.to_ne_bytes(), word.addr() as u64);
    // SAFETY: owned. To drop it would be to call libc's function.
    unsafe { file::close(memory.into_raw_fd()) };
    if written? == size_of::<usize>() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

impl Loader {
    /// The words of `ld.so`, if this is how they are laid out. `used` is how much of the static block is
    /// in use, to the last of the modules, and `generation` the one of modules that a new thread has.
    ///
    /// # Safety
    ///
    /// `modules` is the word of `ld.so` that points to its list of modules.
    pub(super) unsafe fn find(
        modules: *const usize,
        block: StaticBlock,
        used: usize,
        generation: usize,
    ) -> Option<&'static Self> {
        // SAFETY: the words are in the middle of a larger structure, which stays; `ld.so` writes to them
        // a word at a time.
        let loader = unsafe { &*modules.sub(1).cast::<Self>() };
        // Relaxed, here and below: each is a number that publishes nothing.
        let read = |word: &AtomicUsize| word.load(Ordering::Relaxed);
        let n_static = read(&loader.n_static_modules);
        let is_known = (1..=read(&loader.last_module)).contains(&n_static)
            && read(&loader.static_used) == used
            // Modules that have gone count for the generation, and leave no trace in new threads.
            && (generation..generation + 1_000).contains(&read(&loader.generation))
            && read(&loader.static_optional) <= block.size - used;
        is_known.then_some(loader)
    }

    /// Sees to it that what is loaded from now on has no place in the static block that it was not built
    /// for.
    pub(super) fn withhold_optional(&self) {
        self.static_optional.store(0, Ordering::Relaxed);
    }

    /// Makes the static block smaller, of which this much is in use. An error leaves it as it was.
    pub(super) fn cut(
        &self,
        block: StaticBlock,
        size: usize,
        used: usize,
    ) -> io::Result<StaticBlock> {
        let word = block.find()?;
        write_protected(word, size)?;
        let cut = StaticBlock { size, ..block };
        if StaticBlock::current()? == cut && self.static_used.load(Ordering::Relaxed) == used {
            return Ok(cut);
        }
        write_protected(word, block.size)?;
        Err(io::ErrorKind::ResourceBusy.into())
    }
}
