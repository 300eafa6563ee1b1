//! Blocks of thread-locals as glibc makes them for its own threads.
//!
//! `ld.so` exports what `pthread_create` uses: the size of the static block and a function that
//! fills one. glibc describes its `struct pthread` for debuggers in exported symbols
//! (`_thread_db_…`), so no offset is guessed. Where any of it is missing (another libc, static
//! linking, a processor without `FSGSBASE`) `discover` says what, and the mode is shared.
//!
//! # A block
//!
//! ```text
//! x86-64   base | static thread-locals … | struct pthread (thread pointer here) | top
//! aarch64  base | struct pthread | tcb (thread pointer here) | static thread-locals … | top
//! ```
//!
//! It lies in the headroom of a stack, so that what every thread touches is in as few pages as possible
//! ([`Own::place`]). It stays there when the stack goes back to the pool: to make one takes a heap allocation
//! (its `dtv`, see `dtv`), to reuse one does not. On reuse the thread-locals of the program and its libraries
//! are set to their initial image (`segments`). Those of libc itself stay, so that the allocator's cache
//! stays warm, and is bounded by the largest number of threads at a time. What a program would see of them is
//! put right (`leftovers`).
//!
//! Objects that are loaded later (`dlopen`) get their thread-locals from the `dtv`, at a thread's
//! first access; they are freed at its end, so that the next thread begins anew. An object loaded
//! later whose thread-locals are in the static block all the same (the initial-exec model, of
//! libraries that were built for it) finds them zeroed in blocks that exist already. Where there are many threads
//! there is less room for such libraries than glibc leaves them (`loader`).
//!
//! # What glibc and the kernel keep in `struct pthread`
//!
//! - `tid`: recursive and error-checking mutexes know their owner by it, so each block has one of
//!   its own that the kernel never hands out.
//! - `list`, a list of all threads, for debuggers: it points to itself.
//! - `specific`: the values of `pthread_key_create` keys; their destructors run in `finish`.
//! - `res`, the resolver's state, and the thread-local of libc that points to it: without it all
//!   threads would use that of the main thread, at the same time.
//! - `robust_head`, the list of robust mutexes: it is empty, which is to say points to itself.
//! - the `rseq` area, of which the kernel knows only the worker's: it says "no processor known". So whoever
//!   reads it asks the kernel, and no OS thread begins to use its own because of it.

mod broadcast;
mod dtv;
mod fork;
mod homes;
mod layout;
mod leftovers;
mod loader;
mod segments;

use std::ffi::{CStr, c_void};
use std::io;
use std::mem;
use std::ops::Range;
use std::ptr;

use self::dtv::Dtvs;
use self::layout::{
    apart, header, layout, may_move_thread_pointer, rseq_offset, smaller, with_rseq,
};
use self::leftovers::Leftovers;
use self::loader::{Loader, StaticBlock, Surplus};
use self::segments::{Search, Segment, Segments};
use super::unsupported;
use crate::context::thread_pointer;
use crate::os_thread;
use crate::others;
use crate::primitive::{AtomicU32, Ordering};
use crate::stack::Stack;
use crate::sys::memory::page_size;

/// The `tid` of a green thread: above any `pid_max` (2^22), below the futex's flag bits (2^30).
const GREEN_TIDS: Range<u32> = 1 << 22..1 << 30;

/// The first that a block has here. Those below are for who numbers threads anew.
const FIRST_TID: u32 = 1 << 23;

/// The rounds of destructors for keys that glibc makes (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const KEY_ROUNDS: usize = 4;

/// Values a first-level table of keys holds, and first-level tables (`PTHREAD_KEY_2NDLEVEL_SIZE`
/// and `PTHREAD_KEY_1STLEVEL_SIZE`).
const KEYS_PER_TABLE: usize = 32;
const KEY_TABLES: usize = 32;
/// Keys, or tables of them, to look at at once.
const AT_ONCE: usize = 8;

/// A value of a key (`struct pthread_key_data`).
#[repr(C)]
struct KeyData {
    seq: usize,
    data: *mut c_void,
}

/// A key (`struct pthread_key_struct`).
#[repr(C)]
struct Key {
    seq: usize,
    destructor: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// An element of a `dtv`: the thread-locals of a module, and what to free if they were allocated on
/// demand. The first one counts generations, and the one before it the elements.
#[repr(C)]
struct Dynamic {
    value: *mut c_void,
    to_free: *mut c_void,
}

/// `TLS_DTV_UNALLOCATED`: the next access allocates.
const UNALLOCATED: usize = usize::MAX;

/// What `discover` found out.
pub(crate) struct Own {
    /// From the thread pointer down to the block's base, and up to its end.
    below: usize,
    above: usize,
    /// The same down to the base of a small one, and when blocks are such.
    small: Option<(usize, Surplus)>,
    align: usize,
    /// How much of the upper end is in the page above that of the first frames.
    apart: usize,
    dtvs: Dtvs,
    call_destructors: unsafe extern "C" fn(),
    keys: *const Key,
    /// Where `struct pthread` starts, from the thread pointer.
    pthread: isize,
    /// Offsets in `struct pthread`.
    tid: usize,
    list: usize,
    dtv: usize,
    specific: usize,
    first_table: usize,
    /// The flag that says whether any key has been set, where it is known to be.
    specific_used: Option<usize>,
    /// The `rseq` area from the thread pointer, where there is one.
    rseq: Option<isize>,
    probed: Probed,
    leftovers: Leftovers,
    segments: Vec<Segment>,
    /// The generation of a `dtv` that knows of no object but those of `segments`; `None` if there
    /// are others already.
    generation: Option<usize>,
}

/// What only a thread of glibc's own making shows; offsets from the thread pointer.
struct Probed {
    /// libc's pointer to the resolver's state, and that state.
    resolver: isize,
    resolver_state: isize,
    /// The head of the list of robust mutexes, behind the pointer to its last element.
    robust: isize,
}

// SAFETY: the pointers lead to constant data and functions of loaded objects that are never
// unloaded (the program's own, and libc), and to a word that is written as an atomic one.
unsafe impl Send for Own {}
// SAFETY: as above.
unsafe impl Sync for Own {}

static NEXT_TID: AtomicU32 = AtomicU32::new(FIRST_TID);

impl Own {
    /// Finds out how glibc lays out a thread, or what is missing for it.
    pub(crate) fn discover() -> io::Result<Self> {
        if !may_move_thread_pointer() {
            return Err(unsupported("this processor or kernel has no FSGSBASE"));
        }
        let block = StaticBlock::current()?;
        let pthread_size = described(c"_thread_db_sizeof_pthread")?;
        let (below, above, pthread) = layout(block.size, pthread_size);
        let specific = field(c"_thread_db_pthread_specific")?;
        let here = thread_pointer::get();
        // SAFETY: the calling thread's own block, at the offset that glibc describes.
        let first_table = unsafe {
            let this = here.wrapping_add_signed(pthread);
            let table = ((this + specific) as *const usize).read();
            table.wrapping_sub(this)
        };
        if first_table >= pthread_size {
            return Err(unsupported("this glibc lays out its thread keys in an unknown way"));
        }
        let specific_used = find_specific_used(here.wrapping_add_signed(pthread), specific);
        let dtv = field(c"_thread_db_pthread_dtvp")?;
        let here_block = here - below..here + above;
        // What a thread finds by name it finds relative to its thread pointer, as any other.
        let resolver = symbol(c"__resp")?.addr().wrapping_sub(here).cast_signed();
        // A thread of its own: it has been set up with all that is loaded by now. It asks `ld.so` for
        // nothing that it needs its lock for, which the caller has in the constructor of a library.
        let start = |main| os_thread::spawn("sylvan-probe".to_owned(), main);
        let (probed, search, generation) = os_thread::call(start, move || {
            let here = thread_pointer::get();
            let this = here.wrapping_add_signed(pthread);
            let block = here - below..here + above;
            let probed = Probed::new(resolver, &block, &(this..this + pthread_size));
            // SAFETY: the calling thread's own block, and the `dtv` that it points to.
            let generation =
                unsafe { (*((this + dtv) as *const *const Dynamic).read()).value.addr() };
            (probed, Search::of(here, &block), generation)
        })?;
        let (probed, Segments { found, any_dynamic, static_used }) = (probed?, search.hold());
        let rseq = rseq_offset(below, above);
        let static_used = rseq.map_or(static_used, |offset| with_rseq(static_used, offset));
        let loader = match field(c"_thread_db_rtld_global__dl_tls_dtv_slotinfo_list") {
            // SAFETY: where glibc says that the list of modules hangs.
            Ok(modules) => unsafe {
                let modules = symbol(c"_rtld_global")?.byte_add(modules).cast();
                Loader::find(modules, block, static_used, generation)
            },
            Err(_) => None,
        };
        let leftovers = Leftovers::find(here, &here_block, probed.resolver_state);
        // SAFETY: functions and data of these types in every glibc that exports them.
        let mut own = unsafe {
            Self {
                below,
                above,
                small: None,
                align: block.align.max(64),
                apart: apart(below, above, static_used),
                dtvs: Dtvs::find()?,
                call_destructors: mem::transmute::<*mut c_void, unsafe extern "C" fn()>(symbol(
                    c"__call_tls_dtors",
                )?),
                keys: symbol(c"__pthread_keys")?.cast::<Key>().cast_const(),
                pthread,
                tid: field(c"_thread_db_pthread_tid")?,
                list: field(c"_thread_db_pthread_list")?,
                dtv,
                specific,
                first_table,
                specific_used,
                rseq,
                probed,
                leftovers,
                segments: found,
                generation: (!any_dynamic).then_some(generation),
            }
        };
        // Those of another runtime in this process are others.
        NEXT_TID.fetch_add(others::count().min(15) << 26, Ordering::Relaxed);
        // Last, since they stay: from here on nothing can be missing.
        broadcast::install(own.number_at())?;
        if let Some(loader) = loader {
            loader.withhold_optional();
            if let Some(smaller) = smaller(below, above, static_used, own.align)
                && let Ok(surplus) = Surplus::find(loader, block, smaller + above, smaller)
            {
                own.small = Some((smaller, surplus));
                own.apart = apart(smaller, above, static_used);
            }
        }
        Ok(own)
    }

    /// Bytes that a block takes at the top of a stack, at most.
    pub(crate) fn block_len(&self) -> usize {
        self.below + self.above + 2 * self.align + if self.apart > 0 { page_size() } else { 0 }
    }

    /// Where the thread pointer of a block below `top` is.
    ///
    /// The end of the block that is next to the first frames goes into their page: all of it, where it
    /// is small enough, so that a thread that waits takes one page. Else it is what every switch
    /// touches, and what is touched at the start and the end of a thread alone is in the page above.
    fn place(&self, top: usize) -> usize {
        let page_end = (top - self.apart) & !(page_size() - 1);
        (page_end + self.apart - self.above) & !(self.align - 1)
    }

    /// How far below the top of a stack that is which lies at this distance from the thread pointer.
    pub(crate) fn below_top(&self, place: isize) -> usize {
        /// Of some stack: their tops are at the ends of pages.
        const TOP: usize = 1 << 30;
        TOP - self.place(TOP).wrapping_add_signed(place)
    }

    /// Where, from the thread pointer, the number is by which libc knows the thread.
    pub(crate) fn number_at(&self) -> isize {
        self.pthread + self.tid.cast_signed()
    }

    /// Gives `stack` a block, or its block the initial contents again; its thread pointer.
    pub(crate) fn prepare(&self, stack: &mut Stack) -> usize {
        let tp = self.place(stack.top());
        if stack.has_block() {
            self.reset(tp);
        } else {
            self.create(tp, stack);
        }
        tp
    }

    fn create(&self, tp: usize, stack: &mut Stack) {
        let making = self.small.as_ref().map(|(below, surplus)| (*below, surplus.begin(), surplus));
        let below = match &making {
            Some((below, making, _)) if making.is_small => *below,
            _ => self.below,
        };
        let base = (tp - below) & !(self.align - 1);
        let pthread = tp.wrapping_add_signed(self.pthread);
        // SAFETY: the range from `base` to the top is nobody else's, and is zero: it is fresh from the kernel, or
        // made so. The words written are those that glibc writes when it makes a thread; their offsets are glibc's
        // own.
        unsafe {
            if !stack.is_fresh() {
                // Threads have run here that shared their worker's thread-locals, in a process that this one was
                // forked off.
                ptr::write_bytes(base as *mut u8, 0, stack.top() - base);
            }
            header(tp, pthread);
            self.dtvs.install(tp, (pthread + self.dtv) as *mut *mut Dynamic);
            let tid = NEXT_TID.fetch_add(1, Ordering::Relaxed);
            ((pthread + self.tid) as *mut u32).write(tid);
            let list = pthread + self.list;
            (list as *mut usize).write(list);
            ((list + size_of::<usize>()) as *mut usize).write(list);
            ((pthread + self.specific) as *mut usize).write(pthread + self.first_table);
            let at = |offset: isize| tp.wrapping_add_signed(offset) as *mut usize;
            at(self.probed.resolver).write(at(self.probed.resolver_state).addr());
            let robust = at(self.probed.robust);
            robust.sub(1).write(robust.addr());
            robust.write(robust.addr());
            if let Some(offset) = self.rseq {
                // `cpu_id_start` and `cpu_id`: the latter is -1 while nobody keeps it up to date.
                let area = tp.wrapping_add_signed(offset) as *mut u32;
                area.write(0);
                area.add(1).write(u32::MAX);
            }
        }
        if let Some((_, making, surplus)) = making {
            surplus.end(&making);
        }
        stack.set_block(base);
    }

    fn reset(&self, tp: usize) {
        self.leftovers.reset(tp);
        for segment in &self.segments {
            let start = tp.wrapping_add_signed(segment.offset) as *mut u8;
            // SAFETY: the block was made by `create` with room for every segment, no thread runs
            // on it, and the image is the object's own, which stays loaded.
            unsafe {
                let image = segment.image;
                ptr::copy_nonoverlapping(image.as_ptr(), start, image.len());
                ptr::write_bytes(start.add(image.len()), 0, segment.len - image.len());
            }
        }
        if self.generation.is_none() {
            self.free_dynamic(tp);
        }
    }

    /// Frees the thread-locals of the block around `tp` that were allocated on demand, for a thread that has
    /// ended.
    ///
    /// They are the program's allocator's, which a worker must not call: so the thread itself does it, last
    /// of all. Where the runtime's own thread-locals may be among them (it was loaded by `dlopen`) that is
    /// too early, and it is done for the next thread of the block.
    fn free_dynamic(&self, tp: usize) {
        let pthread = tp.wrapping_add_signed(self.pthread);
        // SAFETY: the block's own `dtv`, which `create` has installed; its elements are as described.
        // What is to be freed was allocated by `ld.so` for the thread of this block.
        unsafe {
            let dtv = ((pthread + self.dtv) as *const *mut Dynamic).read();
            if self.generation == Some((*dtv).value.addr()) {
                return;
            }
            for module in 1..=(*dtv.sub(1)).value.addr() {
                let dynamic = &mut *dtv.add(module);
                if !dynamic.to_free.is_null() {
                    let to_free = mem::replace(&mut dynamic.to_free, ptr::null_mut());
                    dynamic.value = ptr::without_provenance_mut(UNALLOCATED);
                    libc::free(to_free);
                }
            }
        }
    }

    /// See [`super::provide`].
    pub(crate) fn provide(&self, n: usize) -> io::Result<()> {
        self.dtvs.provide(
            n,
            self.below,
            self.above,
            self.align,
            self.pthread + self.dtv.cast_signed(),
        )
    }

    /// See [`super::forget`].
    ///
    /// # Safety
    ///
    /// As there.
    pub(crate) unsafe fn forget(&self) {
        // SAFETY: as the caller promises.
        unsafe { dtv::forget() };
        if let Some((_, surplus)) = &self.small {
            surplus.forget();
        }
    }

    /// The thread pointer of the calling OS thread, which is at no block of ours, and may enter them from
    /// here on.
    pub(crate) fn home(&self) -> usize {
        homes::here()
    }

    /// See [`super::leave`].
    pub(crate) fn leave() {
        homes::leave();
    }

    /// What glibc does first on a new thread.
    pub(crate) fn start(&self) {
        leftovers::begin();
    }

    /// What glibc does last: the destructors of thread-locals, then those of keys, and then what it has
    /// for the thread itself.
    pub(crate) fn finish(&self) {
        // SAFETY: runs what this thread has registered, once: the list is empty afterwards.
        unsafe { (self.call_destructors)() };
        let here = thread_pointer::get();
        let pthread = here.wrapping_add_signed(self.pthread);
        let used = self.specific_used.map(|offset| (pthread + offset) as *mut u8);
        // SAFETY: the calling thread's own block.
        if used.is_none_or(|used| unsafe { used.read() } != 0) {
            self.end_all_keys(pthread, used);
        }
        self.leftovers.end(here);
        if self.generation.is_some() {
            self.free_dynamic(here);
        }
    }

    /// The destructors of keys. `used` says whether there may be any, if that is known.
    // Out of line: most threads have none.
    #[inline(never)]
    fn end_all_keys(&self, pthread: usize, used: Option<*mut u8>) {
        for round in 0..=KEY_ROUNDS {
            if let Some(used) = used {
                // A destructor that sets a key says so here, as any thread does; and the next thread of this block
                // has set none yet.
                // SAFETY: the calling thread's own block, here and below.
                unsafe { used.write(0) };
            }
            // What is left after the last round is forgotten.
            // SAFETY: as above.
            let any = unsafe { self.end_keys(pthread, round < KEY_ROUNDS) };
            // SAFETY: as above.
            if !any || used.is_some_and(|used| unsafe { used.read() } == 0) {
                break;
            }
        }
    }

    /// Clears the values of keys and, if it is to, runs their destructors; `false` if there was none to
    /// run.
    ///
    /// # Safety
    ///
    /// `pthread` is the calling thread's own `struct pthread`.
    unsafe fn end_keys(&self, pthread: usize, run: bool) -> bool {
        let mut any = false;
        let tables = (pthread + self.specific) as *const *mut KeyData;
        for first in (0..KEY_TABLES).step_by(AT_ONCE) {
            // SAFETY: `specific` is an array of that many pointers, each null or to a table; here and below.
            let is_set = |index| unsafe { tables.add(first + index).read() }.addr();
            if !any_of(is_set) {
                continue;
            }
            for index in first..first + AT_ONCE {
                // SAFETY: as above.
                let table = unsafe { tables.add(index).read() };
                if !table.is_null() {
                    // SAFETY: as the caller promises.
                    any |= unsafe { self.end_table(index * KEYS_PER_TABLE, table, run) };
                }
            }
        }
        any
    }

    /// The same for one table of values, which begins with that of key `from`.
    ///
    /// # Safety
    ///
    /// It is the calling thread's own.
    unsafe fn end_table(&self, from: usize, table: *mut KeyData, run: bool) -> bool {
        let mut any = false;
        for first in (0..KEYS_PER_TABLE).step_by(AT_ONCE) {
            // SAFETY: a table has that many values; here and below.
            let is_set = |slot| unsafe { (*table.add(first + slot)).data }.addr();
            if !any_of(is_set) {
                continue;
            }
            for slot in first..first + AT_ONCE {
                // SAFETY: as above.
                let value = unsafe { &mut *table.add(slot) };
                if value.data.is_null() {
                    continue;
                }
                let data = mem::replace(&mut value.data, ptr::null_mut());
                // SAFETY: the array of all keys has one for each slot of each table.
                let key = unsafe { &*self.keys.add(from + slot) };
                // A key that was deleted since has another sequence number.
                if run
                    && key.seq == value.seq
                    && let Some(destructor) = key.destructor
                {
                    any = true;
                    // SAFETY: called with the value that this thread set, as POSIX says.
                    unsafe { destructor(data) };
                }
            }
        }
        any
    }
}

/// Whether any of the next few words is not 0. Seldom is one: to look at several takes little more than to look at one.
#[inline(always)]
fn any_of(word: impl Fn(usize) -> usize) -> bool {
    (0..AT_ONCE).fold(0, |all, at| all | word(at)) != 0
}

impl Probed {
    /// Looks at the calling thread, which `pthread_create` has made, and its `struct pthread`.
    /// libc's pointer to the resolver's state is at `resolver` from the thread pointer.
    fn new(resolver: isize, block: &Range<usize>, pthread: &Range<usize>) -> io::Result<Self> {
        let resolver = thread_pointer::get().wrapping_add_signed(resolver);
        // SAFETY: libc's own pointer.
        let state = unsafe { (resolver as *const usize).read() };
        // SAFETY: the caller's own `struct pthread`.
        let robust = unsafe { find_robust(pthread) };
        let known = [resolver, state].iter().all(|at| block.contains(at));
        let (true, Some(robust)) = (known, robust) else {
            return Err(unsupported("this glibc lays out its threads in an unknown way"));
        };
        let offset = |at: usize| at.wrapping_sub(thread_pointer::get()).cast_signed();
        Ok(Self {
            resolver: offset(resolver),
            resolver_state: offset(state),
            robust: offset(robust),
        })
    }
}

/// Where the head of the list of robust mutexes is in the `struct pthread` of a thread that holds none:
/// two words that point to the second of them, and then the way from an element to its mutex.
///
/// # Safety
///
/// `pthread` is that of the calling thread, which `pthread_create` has made.
unsafe fn find_robust(pthread: &Range<usize>) -> Option<usize> {
    const WORD: usize = size_of::<usize>();
    /// From an element of the list, which is the last part of a mutex, back to its beginning.
    const TO_MUTEX: Range<isize> = -64..0;
    // SAFETY: a word of the caller's own `struct pthread`.
    let word = |at: usize| unsafe { (at as *const usize).read() };
    let mut heads = (pthread.start + WORD..pthread.end - WORD).step_by(WORD).filter(|&at| {
        let to_mutex = word(at + WORD).cast_signed();
        word(at - WORD) == at && word(at) == at && TO_MUTEX.contains(&to_mutex)
    });
    match (heads.next(), heads.next()) {
        (Some(head), None) => Some(head),
        _ => None,
    }
}

fn symbol(name: &CStr) -> io::Result<*mut c_void> {
    // SAFETY: looks a name up among the loaded objects.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if found.is_null() {
        Err(unsupported(&format!("this libc exports no `{}`", name.to_string_lossy())))
    } else {
        Ok(found)
    }
}

/// A size that glibc describes for debuggers.
fn described(name: &CStr) -> io::Result<usize> {
    // SAFETY: the symbols of this family are 32-bit words.
    Ok(unsafe { symbol(name)?.cast::<u32>().read() } as usize)
}

/// The offset of a field that glibc describes for debuggers as bits, elements and offset.
fn field(name: &CStr) -> io::Result<usize> {
    // SAFETY: the symbols of this family are arrays of three 32-bit words.
    Ok(unsafe { symbol(name)?.cast::<u32>().add(2).read() } as usize)
}

/// The offset in `struct pthread` of the flag behind the tables of keys, which spares a thread that
/// has set no key the search through them. glibc does not describe it, so it is tried.
fn find_specific_used(pthread: usize, specific: usize) -> Option<usize> {
    let offset = specific + KEY_TABLES * size_of::<usize>();
    let mut key = 0;
    // SAFETY: makes a key, sets it for this thread and deletes it; the byte behind the tables lies
    // within the calling thread's block, which does not end there.
    let found = unsafe {
        if libc::pthread_key_create(&raw mut key, None) != 0 {
            return None;
        }
        libc::pthread_setspecific(key, ptr::without_provenance(1));
        let set = ((pthread + offset) as *const u8).read();
        libc::pthread_setspecific(key, ptr::null());
        libc::pthread_key_delete(key);
        set == 1
    };
    found.then_some(offset)
}
