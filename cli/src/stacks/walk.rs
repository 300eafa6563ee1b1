//! From frame to frame, by what the objects in the process say of how their functions are unwound (`.eh_frame`).
//!
//! That is read from the memory of the process, where it is even if an object's file is stripped, has changed
//! or has gone.

use std::ops::Range;
use std::path::Path;

use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, MayAllocateDuringUnwind, Module,
    Unwinder, UnwinderNative,
};
use sylvan_sight::memory::Memory;
use sylvan_sight::stacks::{Registers, Stack};

use crate::see::{Process, Segments};

/// Who has more frames than this is cut.
const FRAMES_MAX: usize = 2048;

/// An object of a process.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub(super) file: &'a Path,
    pub(super) range: Range<u64>,
    /// From an address in its file to one in the process.
    pub(super) bias: u64,
}

/// What leads from frame to frame in a process.
pub(super) struct Walker<'a> {
    /// In the order of their addresses.
    pub(super) objects: Vec<Object<'a>>,
    unwinder: UnwinderNative<Vec<u8>, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

/// The frames of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Frames {
    /// The code of each, from the innermost to the outermost: where it is, and then those of calls.
    pub(super) addresses: Vec<u64>,
    /// Where there are more that cannot be had.
    pub(super) is_cut: bool,
}

impl<'a> Walker<'a> {
    pub(super) fn new(process: &'a Process) -> Self {
        let mut objects: Vec<Object<'_>> = Vec::new();
        let mut unwinder = UnwinderNative::new();
        let mappings = process.mappings();
        for (at, mapping) in mappings.iter().enumerate().filter(|(_, it)| it.offset == 0) {
            let Some(segments) = process.segments(mapping.start) else { continue };
            let its = mappings[at..].iter().take_while(|it| it.file == mapping.file);
            let range = mapping.start..its.map(|it| it.end).max().unwrap_or(mapping.end);
            if objects.last().is_some_and(|before| before.range.contains(&range.start)) {
                continue;
            }
            let bias = range.start.wrapping_sub(segments.base());
            if let Some(sections) = sections(process, &segments, bias) {
                let name = mapping.file.display().to_string();
                unwinder.add_module(Module::new(name, range.clone(), range.start, sections));
            }
            objects.push(Object { file: &mapping.file, range, bias });
        }
        Self { objects, unwinder, cache: CacheNative::default() }
    }

    /// The frames of a stack.
    pub(super) fn frames(&mut self, stack: &Stack) -> Frames {
        let mut read = |at| stack.memory.word(at).map_err(drop);
        let mut registers = native(stack.registers);
        let mut address = FrameAddress::from_instruction_pointer(stack.registers.pc);
        let mut place = stack.registers.pc.wrapping_sub(u64::from(stack.has_left));
        let mut addresses = Vec::new();
        loop {
            addresses.push(place);
            let is_first = registers.sp() >= stack.first_frame;
            if is_first || addresses.len() == FRAMES_MAX {
                return Frames { addresses, is_cut: !is_first };
            }
            let caller =
                self.unwinder.unwind_frame(address, &mut registers, &mut self.cache, &mut read);
            match caller.map(|caller| caller.and_then(FrameAddress::from_return_address)) {
                Ok(Some(caller)) => (address, place) = (caller, caller.address_for_lookup()),
                // The function says that nobody has called it.
                Ok(None) => return Frames { addresses, is_cut: false },
                Err(_) => return Frames { addresses, is_cut: true },
            }
        }
    }
}

/// In the place of a frame pointer that is not known: it is on no stack. 0 would say that there is no caller.
const NOWHERE: u64 = 1;

#[cfg(target_arch = "x86_64")]
fn native(registers: Registers) -> framehop::UnwindRegsNative {
    let Registers { pc, stack_pointer, frame_pointer, .. } = registers;
    framehop::UnwindRegsNative::new(pc, stack_pointer, frame_pointer.unwrap_or(NOWHERE))
}

#[cfg(target_arch = "aarch64")]
fn native(registers: Registers) -> framehop::UnwindRegsNative {
    let Registers { stack_pointer, frame_pointer, link, .. } = registers;
    framehop::UnwindRegsNative::new(link, stack_pointer, frame_pointer.unwrap_or(NOWHERE))
}

/// What an object says of its functions: a table, which leads to the rest.
fn sections(
    process: &Process,
    segments: &Segments,
    bias: u64,
) -> Option<ExplicitModuleSectionInfo<Vec<u8>>> {
    /// No object says as much.
    const MOST: u64 = 1 << 30;
    let header = segments.eh_frame_hdr.clone()?;
    let read = |range: &Range<u64>| {
        let len = range.end.checked_sub(range.start).filter(|len| *len <= MOST)?;
        let mut bytes = vec![0; len as usize];
        process.read(bias.wrapping_add(range.start), &mut bytes).ok()?;
        Some(bytes)
    };
    let table = read(&header)?;
    let start = eh_frame(&table, header.start)?;
    // It ends where it says so itself, at the latest with what is loaded.
    let load = segments.loads.iter().find(|load| load.contains(&start))?;
    let rest = start..load.end;
    Some(ExplicitModuleSectionInfo {
        base_svma: segments.base(),
        eh_frame: Some(read(&rest)?),
        eh_frame_svma: Some(rest),
        eh_frame_hdr: Some(table),
        eh_frame_hdr_svma: Some(header),
        ..Default::default()
    })
}

/// Where the table that is at `start` leads to. All linkers write this as a distance of four bytes.
fn eh_frame(table: &[u8], start: u64) -> Option<u64> {
    const VERSION: u8 = 1;
    const DISTANCE: u8 = 0x1b;
    let (head, rest) = table.split_first_chunk::<4>()?;
    let distance = i32::from_ne_bytes(*rest.first_chunk()?);
    let is_known = head[0] == VERSION && head[1] == DISTANCE;
    let behind = start.wrapping_add(head.len() as u64);
    is_known.then(|| behind.wrapping_add_signed(distance.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_leads_to_what_lies_behind_and_before_it() {
        let table = |distance: i32| {
            let [a, b, c, d] = distance.to_ne_bytes();
            [1, 0x1b, 3, 0x3b, a, b, c, d]
        };
        assert_eq!(eh_frame(&table(60), 1000), Some(1064));
        assert_eq!(eh_frame(&table(-104), 1000), Some(900));
        assert_eq!(eh_frame(&table(60)[..7], 1000), None);
        assert_eq!(eh_frame(&[0xff; 8], 1000), None);
    }
}
