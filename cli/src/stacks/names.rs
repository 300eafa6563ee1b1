//! What functions are called and where they are written, by the files of the objects that have them: by debug
//! information, those that are inlined included, else by symbols.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use addr2line::Loader;
use object::read::ReadCache;
use object::{Object as _, ObjectSymbol, SymbolKind};
use sylvan_sight::memory::Memory;

use super::walk::Object;
use crate::see::Process;

/// A function on a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    /// Its name; where nothing says it, where its code is.
    pub(super) function: String,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    /// It was inlined into the one that comes next.
    pub(super) is_inlined: bool,
    pub(super) owner: Owner,
}

/// Whose a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// The runtime's, and what is in the place of one of std's or libc's.
    Runtime,
    /// Of std's, the real one.
    Std,
    Program,
}

/// The names in a process.
pub(super) struct Names<'a> {
    process: &'a Process,
    objects: &'a [Object<'a>],
    /// What was looked up.
    known: HashMap<u64, Rc<[Frame]>>,
    /// Of each object that was looked into.
    files: HashMap<u64, Option<Sources>>,
    /// The objects of the runtimes that are libraries of their own.
    libraries: Vec<&'a Path>,
}

/// What says names.
struct Sources {
    debug: Option<Loader>,
    /// In the order of their addresses.
    symbols: Vec<Symbol>,
}

struct Symbol {
    start: u64,
    end: u64,
    name: String,
}

impl<'a> Names<'a> {
    pub(super) fn new(process: &'a Process, objects: &'a [Object<'a>]) -> Self {
        let program = process.mappings().first().map(|mapping| &*mapping.file);
        let libraries =
            process.runtimes.iter().map(|it| &*it.object).filter(|it| Some(*it) != program);
        let libraries = libraries.collect();
        let (known, files) = (HashMap::new(), HashMap::new());
        Self { process, objects, known, files, libraries }
    }

    /// The functions that the code at an address is of, from the innermost to the one that is not inlined.
    pub(super) fn of(&mut self, address: u64) -> Rc<[Frame]> {
        if let Some(frames) = self.known.get(&address) {
            return Rc::clone(frames);
        }
        let frames: Rc<[_]> = self.look_up(address).into();
        self.known.insert(address, Rc::clone(&frames));
        frames
    }

    fn look_up(&mut self, address: u64) -> Vec<Frame> {
        let after = self.objects.partition_point(|object| object.range.start <= address);
        let object = after.checked_sub(1).map(|at| &self.objects[at]);
        let Some(object) = object.filter(|object| object.range.contains(&address)) else {
            return vec![frame((Some(format!("{address:#x}")), None, None), Owner::Program)];
        };
        let process = self.process;
        let sources = self.files.entry(object.range.start);
        let sources = sources.or_insert_with(|| Sources::open(process, object));
        let place = address.wrapping_sub(object.bias);
        let mut places = match sources {
            Some(sources) => sources.by_debug_information(place).unwrap_or_default(),
            None => Vec::new(),
        };
        if places.iter().all(|(function, ..)| function.is_none()) {
            let symbol = sources.as_ref().and_then(|it| it.by_symbol(place)).map(str::to_owned);
            let name = object.file.file_name().unwrap_or_default().display();
            let function = symbol.unwrap_or_else(|| format!("{address:#x} in {name}"));
            let (_, file, line) = places.pop().unwrap_or_default();
            places = vec![(Some(function), file, line)];
        }
        let is_library = self.libraries.contains(&object.file);
        let whose =
            |place: &Place| place.0.as_deref().map_or(Owner::Program, |it| owner(it, is_library));
        let mut frames: Vec<_> = places
            .into_iter()
            .map(|place| (whose(&place), place))
            .map(|(owner, place)| frame(place, owner))
            .collect();
        let n_inlined = frames.len() - 1;
        frames[..n_inlined].iter_mut().for_each(|frame| frame.is_inlined = true);
        frames
    }
}

fn frame((function, file, line): Place, owner: Owner) -> Frame {
    let function = function.unwrap_or_else(|| "?".to_owned());
    Frame { function, file, line, is_inlined: false, owner }
}

/// An object's first page, in which its segments are listed and most often a hash of all that was linked.
const HEADERS: usize = 4096;

/// Whether two files are the same but for what `strip` takes away.
fn are_of_one_link(mut one: [u8; HEADERS], mut other: [u8; HEADERS]) -> bool {
    // Where sections are, and how many.
    for place in [0x28..0x30, 0x3c..0x40] {
        one[place.clone()].fill(0);
        other[place].fill(0);
    }
    one == other
}

/// A function, its file and its line.
type Place = (Option<String>, Option<String>, Option<u32>);

impl Sources {
    /// Those of the object's file, if it is the one that was loaded.
    fn open(process: &Process, object: &Object<'_>) -> Option<Self> {
        let path = process.path(object.file);
        let file = File::open(&path).ok()?;
        let (mut loaded, mut on_disk) = ([0; HEADERS], [0; HEADERS]);
        process.read(object.range.start, &mut loaded).ok()?;
        file.read_exact_at(&mut on_disk, 0).ok()?;
        if !are_of_one_link(loaded, on_disk) {
            return None;
        }
        let cache = ReadCache::new(file);
        let mut symbols: Vec<_> = match object::File::parse(&cache) {
            Ok(file) => file.symbols().chain(file.dynamic_symbols()).filter_map(symbol).collect(),
            Err(_) => Vec::new(),
        };
        symbols.sort_by_key(|symbol| symbol.start);
        Some(Self { debug: Loader::new(&path).ok(), symbols })
    }

    fn by_debug_information(&self, place: u64) -> Option<Vec<Place>> {
        let mut found = self.debug.as_ref()?.find_frames(place).ok()?;
        let mut frames = Vec::new();
        while let Some(frame) = found.next().ok()? {
            let function = frame.function.and_then(|it| it.demangle().ok().map(Cow::into_owned));
            let location = frame.location.as_ref();
            let file = location.and_then(|it| it.file).map(str::to_owned);
            frames.push((function, file, location.and_then(|it| it.line)));
        }
        Some(frames)
    }

    fn by_symbol(&self, place: u64) -> Option<&str> {
        let after = self.symbols.partition_point(|symbol| symbol.start <= place);
        let symbol = self.symbols[..after].last()?;
        (place < symbol.end).then_some(&symbol.name)
    }
}

fn symbol<'a>(symbol: impl ObjectSymbol<'a>) -> Option<Symbol> {
    let (start, name) = (symbol.address(), symbol.name().ok()?);
    let is_code = symbol.kind() == SymbolKind::Text && symbol.is_definition();
    let name = || addr2line::demangle_auto(Cow::from(name), None).into_owned();
    is_code.then(|| Symbol { start, end: start + symbol.size(), name: name() })
}

/// Whose a function of this name is, in a library of the runtime's own or elsewhere.
fn owner(function: &str, is_library: bool) -> Owner {
    let name = function.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let name = name.strip_prefix("dyn ").unwrap_or(name);
    let Some((package, _)) = name.split_once("::") else {
        return match name {
            _ if name.starts_with("__rust_") => Owner::Std,
            _ if is_library || name.starts_with("stack_init_trampoline") => Owner::Runtime,
            _ => Owner::Program,
        };
    };
    match package {
        "std" | "core" | "alloc" => Owner::Std,
        "sylvan" | "sylvan_posix" | "sylvan_preload" | "sylvan_libc" => Owner::Runtime,
        "std_shim" | "corosensei" => Owner::Runtime,
        _ if is_library => Owner::Runtime,
        _ => Owner::Program,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_whose_its_path_begins_with() {
        let of = |name| owner(name, false);
        assert_eq!(of("sylvan::park::park"), Owner::Runtime);
        assert_eq!(of("<sylvan::io::Attempt as core::ops::FnOnce<()>>::call_once"), Owner::Runtime);
        assert_eq!(of("<&std_shim::net::TcpStream as std::io::Read>::read"), Owner::Runtime);
        assert_eq!(of("<std::io::Stdin as std::io::Read>::read"), Owner::Std);
        assert_eq!(of("__rust_try"), Owner::Std);
        assert_eq!(of("<alloc::boxed::Box<sylvan::Task>>::drop"), Owner::Std);
        assert_eq!(of("<server::Handler as sylvan::Runs>::run"), Owner::Program);
        assert_eq!(of("sylvans_friend::main"), Owner::Program);
        assert_eq!((of("read"), owner("read", true)), (Owner::Program, Owner::Runtime));
        assert_eq!(owner("rustix::event::poll", true), Owner::Runtime);
    }
}
