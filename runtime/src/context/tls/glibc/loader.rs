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
//! frames below it. Without most of it, that fits into one page instead of two. So where a program has many threads,
//! `ld.so` is told that the static block is smaller ([`Surplus`]). A library that needs more of it than is left then
//! fails to load, with the error that it gets where it needs more than the surplus. A program that has asked for
//! more than the usual surplus, by a tunable, keeps it.
//!
//! Programs that load such libraries one after the other, as those that compute with Python do, have a few threads at
//! that time: a pool of as many as there are processors. So the first blocks are made whole:
//!
//! ```text
//!   blocks made       0 ... FEW           one or some more         ...
//!   `ld.so` gives      the surplus         what is left of it
//!   a block has        the surplus          the surplus             what is left of it
//! ```
//!
//! A block stays with its stack, so their number is the largest number of threads that there were at a time. A child of
//! a fork begins at 0, unless its parent was beyond FEW.
//!
//! A library that is being given a place at that time may get one that is gone. So the blocks that come next are whole,
//! too. To make one takes the lock that `ld.so` has while it gives places: behind that no library counts on the old
//! size, and either all that is in use fits, or the old size is told again, and all blocks stay whole. They do also
//! where there is no room for [`ROOM`] bytes at the change.
//!
//! The size is a word that `ld.so` makes read-only after its start, and that an exported function
//! tells. It is found by its value and its neighbour's, and counts as changed if that function says so. OS threads that
//! run already keep their larger block, of which nobody uses what is gone. One that begins between the two times that
//! a size is told, of which the second takes the first back, has a small block for good: that takes a library that got
//! its place in the same microsecond.
//!
//! # What is not as expected stays as it is
//!
//! glibc describes for debuggers where its list of modules hangs; the words around it are, since
//! glibc 2.34, those of [`Loader`]. What is known from elsewhere must be found in them.

use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};

use rustix::mm::{MprotectFlags, mprotect};
use rustix::thread::sched_getaffinity;

use super::layout::ROOM;
use super::symbol;
use crate::sys::memory::page_size;

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

/// `_dl_get_tls_static_info`.
type TellSize = unsafe extern "C" fn(*mut usize, *mut usize);

fn tell_size() -> io::Result<TellSize> {
    let tell = symbol(c"_dl_get_tls_static_info")?;
    // SAFETY: the symbol is a function of this type in every glibc that has it.
    Ok(unsafe { std::mem::transmute::<*mut c_void, TellSize>(tell) })
}

/// # Safety
///
/// `tell_size` has found the function.
unsafe fn told_by(tell: TellSize) -> StaticBlock {
    let (mut size, mut align) = (0, 0);
    // SAFETY: as the caller promises: it writes two words.
    unsafe { tell(&raw mut size, &raw mut align) };
    StaticBlock { size, align }
}

impl StaticBlock {
    pub(super) fn current() -> io::Result<Self> {
        let tell = tell_size()?;
        // SAFETY: found just now.
        Ok(unsafe { told_by(tell) })
    }

    /// Where `ld.so` has its size.
    fn find(self) -> io::Result<*const usize> {
        let start = symbol(c"_rtld_global_ro")?.cast::<usize>().cast_const();
        // SAFETY: the object is that large, it consists of words for the most part, and what `ld.so` has
        // made read-only changes by `Surplus` alone, which does not exist yet.
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

/// Whether a word is among those that a loaded object has made read-only after its start.
fn is_protected(word: *const usize) -> bool {
    struct Search {
        word: usize,
        found: bool,
    }
    unsafe extern "C" fn visit(
        info: *mut libc::dl_phdr_info,
        _: libc::size_t,
        search: *mut c_void,
    ) -> c_int {
        // SAFETY: `dl_iterate_phdr` passes valid information and what it was given.
        let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: the object has that many headers.
        let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let page = !(page_size() - 1);
        search.found |= headers.iter().filter(|it| it.p_type == libc::PT_GNU_RELRO).any(|it| {
            let start = (info.dlpi_addr + it.p_vaddr) as usize;
            (start & page..(start + it.p_memsz as usize) & page).contains(&search.word)
        });
        0
    }
    let mut search = Search { word: word.addr(), found: false };
    // SAFETY: `visit` is given the search that it expects, for the length of the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.found
}

/// What `ld.so` gives to libraries that are loaded later, in blocks that are still to be made.
pub(super) struct Surplus {
    loader: &'static Loader,
    /// The size of the static block.
    word: *const usize,
    told_size: TellSize,
    full: usize,
    small: usize,
    /// How much of a small block may be in use.
    small_room: usize,
    /// How many blocks are whole in any case.
    few: u32,
    n_blocks: AtomicU32,
    /// A [`Stage`].
    stage: AtomicU8,
}

/// What blocks are made like.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    /// Whole; they are counted.
    Few,
    /// Whole; somebody is telling `ld.so`.
    Telling,
    /// Whole; `ld.so` was told. Whoever finds this, and makes one, has waited for any library that was being loaded.
    Told,
    Small,
    /// Whole, for good.
    Whole,
}

/// How a block is to be made.
pub(super) struct Making {
    pub(super) is_small: bool,
    stage: u8,
}

impl Surplus {
    /// That of `block`, which can be made `size` bytes in all, of which `room` may be in use; an error where that cannot
    /// be told to `ld.so`.
    pub(super) fn find(
        loader: &'static Loader,
        block: StaticBlock,
        size: usize,
        room: usize,
    ) -> io::Result<Self> {
        let word = block.find()?;
        if !is_protected(word) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let n_processors = sched_getaffinity(None).map_or(1, |processors| processors.count());
        Ok(Self {
            loader,
            word,
            told_size: tell_size()?,
            full: block.size,
            small: size,
            small_room: room,
            few: 32 + 2 * n_processors,
            n_blocks: AtomicU32::new(0),
            stage: AtomicU8::new(Stage::Few as u8),
        })
    }

    /// A block is about to be made.
    pub(super) fn begin(&self) -> Making {
        // Acquire pairs with the release of whoever has told `ld.so`.
        let mut stage = self.stage.load(Ordering::Acquire);
        if stage == Stage::Few as u8 {
            self.count();
            // Who has told it has that block's making before it, too.
            stage = self.stage.load(Ordering::Acquire);
        }
        Making { is_small: stage == Stage::Small as u8, stage }
    }

    /// It was made, which takes `ld.so`'s lock.
    pub(super) fn end(&self, making: &Making) {
        if making.stage == Stage::Told as u8 {
            self.conclude();
        }
    }

    #[cold]
    fn count(&self) {
        if self.n_blocks.fetch_add(1, Ordering::Relaxed) >= self.few
            && self.go_on(Stage::Few, Stage::Telling)
        {
            let is_told = self.leaves(ROOM) && self.tell(self.small);
            let next = if is_told { Stage::Told } else { Stage::Whole };
            self.stage.store(next as u8, Ordering::Release);
        }
    }

    #[cold]
    fn conclude(&self) {
        if self.leaves(0) {
            self.go_on(Stage::Told, Stage::Small);
        } else if self.go_on(Stage::Told, Stage::Telling) {
            // Else the next block's maker tries again.
            let next = if self.tell(self.full) { Stage::Whole } else { Stage::Told };
            self.stage.store(next as u8, Ordering::Release);
        }
    }

    fn go_on(&self, from: Stage, to: Stage) -> bool {
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        self.stage.compare_exchange(from as u8, to as u8, order.0, order.1).is_ok()
    }

    /// In a child of a fork: blocks are counted anew, where they still are.
    pub(super) fn forget(&self) {
        self.n_blocks.store(0, Ordering::Relaxed);
        if self.stage.load(Ordering::Relaxed) == Stage::Telling as u8 {
            // Whoever was telling is not there.
            let next = if self.tell(self.full) { Stage::Few } else { Stage::Told };
            self.stage.store(next as u8, Ordering::Relaxed);
        }
    }

    /// Whether there are so many bytes in a small block that nobody uses.
    fn leaves(&self, n: usize) -> bool {
        self.loader.static_used.load(Ordering::Relaxed) + n <= self.small_room
    }

    /// Whether `ld.so` has heard it, and all that is in use fits.
    fn tell(&self, size: usize) -> bool {
        let page = self.word.addr() & !(page_size() - 1);
        let change = |flags| {
            // SAFETY: the page is one that `ld.so` has made read-only, and that it reads words of; it becomes so again.
            unsafe { mprotect(ptr::without_provenance_mut(page), page_size(), flags) }
        };
        if change(MprotectFlags::READ | MprotectFlags::WRITE).is_err() {
            return false;
        }
        // SAFETY: a word, which others read, and which may be written now.
        let word = unsafe { &*self.word.cast::<AtomicUsize>() };
        word.store(size, Ordering::SeqCst);
        // SAFETY: `tell_size` has found it.
        let is_heard = unsafe { told_by(self.told_size).size } == size;
        // A library may have got its place since somebody looked. OS threads that begin meanwhile would have no room
        // for it.
        let fits = size == self.full || self.leaves(0);
        if !is_heard || !fits {
            word.store(self.full, Ordering::SeqCst);
        }
        // Where that fails it is as it would be in a program that was linked without.
        let _ = change(MprotectFlags::READ);
        is_heard && fits
    }
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
}
