//! A core file: memory by its segments, and what is not in it by the files that were mapped.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{ET_CORE, FileHeader64, NT_AUXV, NT_FILE, NT_PRSTATUS, PT_LOAD, ProgramHeader64};
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};
use sylvan_sight::procfs::Mapping;
use sylvan_sight::stacks::Registers;
use sylvan_sight::{Memory, Unreadable};

use super::{Reason, Refusal, running};
use crate::machine;

#[derive(Debug)]
pub(super) struct CoreFile {
    pub(super) path: PathBuf,
    file: File,
    /// In the order of their addresses.
    segments: Vec<Segment>,
    pub(super) mappings: Vec<Mapping>,
    /// Those of each OS thread, by its number.
    pub(super) registers: HashMap<u32, Registers>,
    /// The same number of files as there are mappings; those that can be read.
    files: Vec<Option<File>>,
}

/// A piece of memory that is in the file, as much of it as is.
#[derive(Debug)]
struct Segment {
    start: u64,
    len: u64,
    offset: u64,
}

impl CoreFile {
    pub(super) fn open(path: &Path, program: &Path) -> Result<Self, Refusal> {
        let refuse = |why: &str| refused(path, why);
        let file = File::open(path).map_err(|error| refuse(&error.to_string()))?;
        let data = ReadCache::new(file.try_clone().map_err(|error| refuse(&error.to_string()))?);
        let parsed = parse(&data).map_err(|why| refuse(&why))?;
        let Parsed { segments, mappings, headers_at, registers } = parsed;
        let (path, files) = (path.to_owned(), Vec::new());
        let mut core = Self { path, file, segments, mappings, registers, files };
        match headers_at {
            Some(at) if core.mappings.is_empty() => core.mappings = loaded(program, at)?,
            _ => core.find_program(program)?,
        }
        core.files = core.mappings.iter().map(|mapping| File::open(&mapping.file).ok()).collect();
        Ok(core)
    }

    /// Has the program read from where the caller says that it is.
    fn find_program(&mut self, program: &Path) -> Result<(), Refusal> {
        let refuse = |why: &str| refused(program, why);
        File::open(program).map_err(|error| refuse(&error.to_string()))?;
        let whose = || format!("{}, {}", self.path.display(), program.display());
        let name = program.file_name();
        let of_that_name = |mapping: &&Mapping| mapping.file.file_name() == name;
        let Some(its) = self.mappings.iter().find(of_that_name).map(|it| it.file.clone()) else {
            return Err(Reason::OtherProgram.with(whose()));
        };
        for mapping in self.mappings.iter_mut().filter(|mapping| mapping.file == its) {
            mapping.file = program.to_owned();
        }
        Ok(())
    }

    pub(super) fn unreadable(&self, error: Unreadable) -> Refusal {
        Reason::Unreadable.with(format!("{}: {error}", self.path.display()))
    }

    /// Reads as much as is in one piece; how many bytes.
    fn read_some(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let in_file = find(&self.segments, at, |segment| (segment.start, segment.len));
        if let Some(segment) = in_file.map(|index| &self.segments[index]) {
            let from = at - segment.start;
            let n = into.len().min(usize::try_from(segment.len - from).unwrap_or(usize::MAX));
            return self.file.read_at(&mut into[..n], segment.offset.wrapping_add(from));
        }
        let mapped = find(&self.mappings, at, |mapping| {
            (mapping.start, mapping.end.saturating_sub(mapping.start))
        });
        let Some(index) = mapped else { return Ok(0) };
        let (mapping, Some(file)) = (&self.mappings[index], &self.files[index]) else {
            return Ok(0);
        };
        let from = at - mapping.start;
        let left = usize::try_from(mapping.end - at).unwrap_or(usize::MAX);
        let n = into.len().min(left);
        file.read_at(&mut into[..n], mapping.offset.wrapping_add(from))
    }
}

fn refused(file: &Path, why: &str) -> Refusal {
    Reason::NoCore.with(format!("{}: {why}", file.display()))
}

/// Where the program was mapped whose program headers were there: for a core file without a list of files, as those
/// are that qemu writes for what it emulates.
fn loaded(program: &Path, headers_at: u64) -> Result<Vec<Mapping>, Refusal> {
    const PAGE: u64 = 4096;
    let broken = |error: object::Error| refused(program, &error.to_string());
    let file = File::open(program).map_err(|error| refused(program, &error.to_string()))?;
    let data = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&data).map_err(broken)?;
    let endian = header.endian().map_err(broken)?;
    let segments = header.program_headers(endian, &data).map_err(broken)?;
    let segments = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
    // The first one begins with the file, and so has its headers in it.
    let headers = |first: &ProgramHeader64<_>| first.p_vaddr(endian) + header.e_phoff(endian);
    let moved = headers_at.wrapping_sub(segments.clone().next().map_or(0, headers));
    let mapping = |segment: &ProgramHeader64<_>| {
        let start = moved.wrapping_add(segment.p_vaddr(endian));
        Mapping {
            start: start & !(PAGE - 1),
            end: start.saturating_add(segment.p_filesz(endian)).saturating_add(PAGE - 1)
                & !(PAGE - 1),
            offset: segment.p_offset(endian) & !(PAGE - 1),
            file: program.to_owned(),
        }
    };
    Ok(segments.map(mapping).collect())
}

/// Which of these, in the order of their addresses, has the address.
fn find<T>(pieces: &[T], at: u64, range: impl Fn(&T) -> (u64, u64)) -> Option<usize> {
    let compare = |piece: &T| {
        let (start, len) = range(piece);
        match at.checked_sub(start) {
            None => Ordering::Greater,
            Some(from) if from < len => Ordering::Equal,
            Some(_) => Ordering::Less,
        }
    };
    pieces.binary_search_by(compare).ok()
}

impl Memory for CoreFile {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let mut done = 0;
        while done < into.len() {
            match self.read_some(at.wrapping_add(done as u64), &mut into[done..]) {
                Ok(n) if n > 0 => done += n,
                _ => return Err(Unreadable { at }),
            }
        }
        Ok(())
    }
}

/// What is read of it at once.
#[derive(Default)]
struct Parsed {
    segments: Vec<Segment>,
    mappings: Vec<Mapping>,
    /// Where the program headers of the program are.
    headers_at: Option<u64>,
    registers: HashMap<u32, Registers>,
}

fn parse(data: &ReadCache<File>) -> Result<Parsed, String> {
    let broken = |error: object::Error| format!("the core file is broken: {error}");
    let none = |error: object::Error| format!("it is no core file: {error}");
    let header = FileHeader64::<Endianness>::parse(data).map_err(none)?;
    let endian = header.endian().map_err(none)?;
    if header.e_type(endian) != ET_CORE || header.e_machine(endian) != machine() {
        return Err("it is no core file of a process of this machine's architecture".to_owned());
    }
    let mut parsed = Parsed::default();
    for segment in header.program_headers(endian, data).map_err(broken)? {
        if segment.p_type(endian) == PT_LOAD && segment.p_filesz(endian) > 0 {
            parsed.segments.push(Segment {
                start: segment.p_vaddr(endian),
                len: segment.p_filesz(endian),
                offset: segment.p_offset(endian),
            });
        }
        let Some(mut found) = segment.notes(endian, data).map_err(broken)? else { continue };
        while let Some(note) = found.next().map_err(broken)? {
            match note.n_type(endian) {
                NT_FILE => {
                    parsed.mappings = mapped(note.desc())
                        .ok_or("the core file is broken: its list of files is cut")?;
                }
                NT_AUXV => parsed.headers_at = headers_at(note.desc()),
                NT_PRSTATUS => parsed.registers.extend(status(note.desc())),
                _ => {}
            }
        }
    }
    parsed.segments.sort_by_key(|segment| segment.start);
    parsed.mappings.sort_by_key(|mapping| mapping.start);
    Ok(parsed)
}

/// Where the program headers are, by what the kernel tells a program at its start (`NT_AUXV`): pairs of words.
fn headers_at(note: &[u8]) -> Option<u64> {
    const HEADERS: u64 = 3;
    let (words, _) = note.as_chunks();
    let words: Vec<_> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    words.chunks_exact(2).find(|pair| pair[0] == HEADERS).map(|pair| pair[1])
}

/// The number of an OS thread, and its registers (`NT_PRSTATUS`).
fn status(note: &[u8]) -> Option<(u32, Registers)> {
    const OS_THREAD: usize = 32;
    const REGISTERS: usize = 112;
    let os_thread = u32::from_ne_bytes(*note.get(OS_THREAD..)?.first_chunk()?);
    let (words, _) = note.get(REGISTERS..)?.as_chunks();
    let words: Vec<_> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    Some((os_thread, running::registers(&words)?))
}

/// The files that were mapped (`NT_FILE`): how many, the size of a page, three words for each, and their names.
fn mapped(note: &[u8]) -> Option<Vec<Mapping>> {
    const WORD: usize = size_of::<u64>();
    let word = |index: usize| {
        let bytes = note.get(index * WORD..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    };
    let (n, page) = (usize::try_from(word(0)?).ok()?, word(1)?);
    let names = note.get(n.checked_mul(3)?.checked_add(2)?.checked_mul(WORD)?..)?;
    let mut names = names.split(|byte| *byte == 0);
    let mapping = |index: usize| {
        let at = 2 + index * 3;
        Some(Mapping {
            start: word(at)?,
            end: word(at + 1)?,
            offset: word(at + 2)?.wrapping_mul(page),
            file: PathBuf::from(OsStr::from_bytes(names.next()?)),
        })
    };
    (0..n).map(mapping).collect()
}
