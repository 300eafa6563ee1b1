//! What the file of a program says of it.

use std::fs;
use std::path::Path;

use object::Endianness;
use object::elf::{ELFCLASS64, ELFMAG, ET_DYN, ET_EXEC, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use super::refuse::{Reason, Refusal};
use crate::machine;

/// Where the header says how many bits an address has.
const EI_CLASS_AT: usize = 4;

/// The notes that say what is in a program: who wrote it, and its kind.
const RUNTIME: (&[u8], u32) = (b"sylvan", 1);
const GO: (&[u8], u32) = (b"Go", 4);
/// Where a Go program keeps how it was built.
const GO_SECTION: &[u8] = b".go.buildinfo";

/// A program.
#[derive(Debug, Default)]
pub(crate) struct Object {
    /// For this architecture, and 64 bits.
    pub(crate) is_of_this_machine: bool,
    /// What loads its libraries; none if there are none.
    pub(crate) loader: Option<String>,
    pub(crate) is_go: bool,
    /// It was built on the mirror, or has `sylvan-libc` linked in.
    pub(crate) has_runtime: bool,
}

impl Object {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no program.
    pub(crate) fn read(file: &Path) -> Result<Self, Refusal> {
        let data =
            fs::read(file).map_err(|error| Reason::NotExecutable.of(file, &error.to_string()))?;
        Self::parse(&data).map_err(|error| Reason::NoProgram.of(file, &error))
    }

    fn parse(data: &[u8]) -> Result<Self, String> {
        if !data.starts_with(&ELFMAG) {
            return Err("it is neither an ELF program nor a script with a `#!` line".to_owned());
        }
        if data.get(EI_CLASS_AT) != Some(&ELFCLASS64) {
            return Ok(Self::default());
        }
        let broken = |error: object::Error| format!("its ELF headers make no sense: {error}");
        let header = FileHeader64::<Endianness>::parse(data).map_err(broken)?;
        let endian = header.endian().map_err(broken)?;
        if ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
            return Err("it is an ELF file, but no program".to_owned());
        }
        let mut found = Self {
            is_of_this_machine: endian == Endianness::default()
                && header.e_machine(endian) == machine(),
            ..Self::default()
        };
        for segment in header.program_headers(endian, data).map_err(broken)? {
            if let Some(loader) = segment.interpreter(endian, data).map_err(broken)? {
                found.loader = Some(String::from_utf8_lossy(loader).into_owned());
            }
            let Some(mut notes) = segment.notes(endian, data).map_err(broken)? else { continue };
            while let Some(note) = notes.next().map_err(broken)? {
                let note = (note.name(), note.n_type(endian));
                found.is_go |= note == GO;
                found.has_runtime |= note == RUNTIME;
            }
        }
        // Sections may have been stripped.
        if let Ok(sections) = header.sections(endian, data) {
            found.is_go |= sections.section_by_name(endian, GO_SECTION).is_some();
        }
        Ok(found)
    }
}
