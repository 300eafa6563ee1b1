//! What functions are called and where they are written, by the files of the objects that have them: by debug
//! information, those that are inlined included, else by symbols.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use addr2line::Loader;
use object::read::ReadCache;
use object::{Object as _, ObjectSymbol, SymbolKind};
use sylvan_sight::memory::Memory;

use super::owners::{self, Folders, Owner, owner};
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
    /// Where the runtime is written, if anybody has asked.
    folders: OnceCell<Folders>,
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
        let its_address = address.wrapping_sub(object.bias);
        let mut places = match sources {
            Some(sources) => sources.by_debug_information(its_address).unwrap_or_default(),
            None => Vec::new(),
        };
        let symbol = sources.as_ref().and_then(|it| it.by_symbol(its_address));
        if places.iter().all(|(function, ..)| function.is_none()) {
            let name = object.file.file_name().unwrap_or_default().display();
            let function = symbol.map_or_else(|| format!("{address:#x} in {name}"), str::to_owned);
            let (_, file, line) = places.pop().unwrap_or_default();
            places = vec![(Some(function), file, line)];
        } else if let Some((Some(function), ..)) = places.last_mut()
            && let Some(symbol) = symbol.filter(|symbol| owners::is_path_of(symbol, function))
        {
            *function = symbol.to_owned();
        }
        let place = owners::Place::of(object.file, self.libraries.contains(&object.file));
        let none = Folders::default();
        let folders = || sources.as_ref().map_or(&none, Sources::folders);
        let whose = |(function, file, _): &Line| match function {
            Some(function) => owner(function, file.as_deref(), place, folders),
            None => Owner::Program,
        };
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

fn frame((function, file, line): Line, owner: Owner) -> Frame {
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
type Line = (Option<String>, Option<String>, Option<u32>);

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
        Some(Self { debug: Loader::new(&path).ok(), symbols, folders: OnceCell::new() })
    }

    fn by_debug_information(&self, place: u64) -> Option<Vec<Line>> {
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

    /// Where the runtime is written, by its functions that symbols name.
    fn folders(&self) -> &Folders {
        self.folders.get_or_init(|| {
            // An implementation of a trait may be elsewhere than its type.
            let is_there =
                |it: &Symbol| owners::is_of_runtime(&it.name) && !it.name.starts_with('<');
            // One that is the same as another may be in its place, whosever that is.
            let places = self.symbols.chunk_by(|one, next| one.start == next.start);
            let of_runtime = places.filter(|names| names.iter().all(is_there));
            let file = |names: &[Symbol]| self.by_debug_information(names[0].start)?.pop()?.1;
            Folders::of(of_runtime.filter_map(file))
        })
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
    // A name of C's is its own: `f` is not C++'s `float`.
    let is_mangled = ["_Z", "_R"].iter().any(|prefix| name.starts_with(prefix));
    let name = || match is_mangled {
        true => addr2line::demangle_auto(Cow::from(name), None).into_owned(),
        false => name.to_owned(),
    };
    is_code.then(|| Symbol { start, end: start + symbol.size(), name: name() })
}
