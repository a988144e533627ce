//! The pass over a module's DWARF that fills the tables of [`Lines`]; why it is written this way is told there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gimli::{AttributeValue, DebugLineOffset, EndianSlice, LineProgramHeader, LittleEndian, RawRngListEntry};

use super::{Lines, Location, NONE, NOWHERE, Row, Scope, TEXT_BYTES_MAX};

/// Steps that a byte of DWARF may cost, so that the whole is linear: a step is a byte of a line program, a row, an entry,
/// an attribute, a range. What compilers write takes one or two.
const STEPS_A_BYTE: usize = 4;
const UNITS_MAX: usize = 1 << 16;
const ROWS_MAX: usize = 4 << 20;
const SCOPES_MAX: usize = 1 << 20;
const NAMES_MAX: usize = 1 << 20;
/// Tables of abbreviations and headers of line programs take 10 to 40 times their bytes once they are parsed.
const ABBREVIATION_BYTES_MAX: usize = 8 << 20;
const LINE_HEADER_BYTES_MAX: usize = 1 << 20;
const TEXTS_BYTES_MAX: usize = 16 << 20;
const LINKS_MAX: usize = 8;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Unit<'a> = gimli::Unit<Slice<'a>>;

/// Fills `lines`, whose code range is known, from the custom sections of the module.
pub(super) fn read<'a>(section: impl Fn(&str) -> &'a [u8], lines: Lines) -> Option<Lines> {
    let abbreviations = section(".debug_abbrev");
    if section(".debug_info").is_empty() || abbreviations.len() > ABBREVIATION_BYTES_MAX {
        return None;
    }
    let load = |id: gimli::SectionId| Ok::<_, gimli::Error>(Slice::new(section(id.name()), LittleEndian));
    let sections = [".debug_info", ".debug_abbrev", ".debug_line", ".debug_ranges", ".debug_rnglists"];
    let bytes: usize = sections.iter().map(|name| section(name).len()).sum();
    let mut pass = Pass::new(gimli::Dwarf::load(load).ok()?, abbreviations, lines, bytes * STEPS_A_BYTE);
    pass.read_units();
    Some(pass.finish())
}

/// The one pass over a module's DWARF. Its methods answer None when a unit is broken or the fuel is gone; what was read
/// until then stays.
struct Pass<'a> {
    dwarf: gimli::Dwarf<Slice<'a>>,
    fuel: usize,
    abbreviations: Abbreviations<'a>,
    line_programs: HashSet<usize>,
    names: HashMap<usize, Name<'a>>,
    /// Beside each scope: the entry in `.debug_info` that names it.
    named_by: Vec<usize>,
    interned: HashMap<String, u32>,
    interned_bytes: usize,
    lines: Lines,
}

/// What an entry says about its name.
#[derive(Clone, Copy)]
enum Name<'a> {
    Text(&'a [u8]),
    /// The entry at this offset of `.debug_info` has it.
    SameAs(usize),
}

/// The files of one line program, by its own numbers.
#[derive(Default)]
struct Files<'a> {
    header: Option<LineProgramHeader<Slice<'a>>>,
    known: HashMap<u64, u32>,
}

/// The attributes of a function's entry, as far as they matter here.
#[derive(Default)]
struct Function<'a> {
    name: Option<&'a [u8]>,
    linkage_name: Option<&'a [u8]>,
    same_as: Option<usize>,
    low: Option<u64>,
    high: Option<AttributeValue<Slice<'a>>>,
    ranges: Option<AttributeValue<Slice<'a>>>,
    call: (u64, u32, u32),
}

impl<'a> Pass<'a> {
    fn new(dwarf: gimli::Dwarf<Slice<'a>>, abbreviations: &'a [u8], lines: Lines, fuel: usize) -> Pass<'a> {
        Pass {
            dwarf,
            fuel,
            abbreviations: Abbreviations::new(abbreviations),
            line_programs: HashSet::new(),
            names: HashMap::new(),
            named_by: Vec::new(),
            interned: HashMap::new(),
            interned_bytes: 0,
            lines,
        }
    }

    fn spend(&mut self, steps: usize) -> Option<()> {
        // Once it did not suffice, nothing is free any more.
        self.fuel = self.fuel.saturating_sub(steps.max(1));
        (self.fuel > 0).then_some(())
    }

    fn read_units(&mut self) {
        let mut headers = Vec::new();
        let mut units = self.dwarf.units();
        while let (Ok(Some(header)), true) = (units.next(), headers.len() < UNITS_MAX) {
            headers.push(header);
        }
        self.abbreviations.starts(headers.iter().map(|header| header.debug_abbrev_offset().0));
        for header in headers {
            // A unit that breaks off keeps what was read of it.
            let _ = self.read_unit(header);
        }
    }

    fn read_unit(&mut self, header: gimli::UnitHeader<Slice<'a>>) -> Option<()> {
        self.spend(1)?;
        let abbreviations = self.abbreviations.table(header.debug_abbrev_offset().0)?;
        let (unit, program) = self.read_root(header, abbreviations)?;
        let mut files = Files::default();
        if let Some(offset) = program {
            let _ = self.read_rows(&unit, offset, &mut files);
        }
        self.read_scopes(&unit, &mut files)
    }

    /// What `gimli::Unit::new` does, less what costs more than the entry's own bytes: its strings and line program.
    fn read_root(
        &mut self,
        header: gimli::UnitHeader<Slice<'a>>,
        abbreviations: Arc<gimli::Abbreviations>,
    ) -> Option<(Unit<'a>, Option<DebugLineOffset>)> {
        let (encoding, file_type) = (header.encoding(), gimli::DwarfFileType::Main);
        let mut unit = Unit {
            abbreviations: abbreviations.clone(),
            name: None,
            comp_dir: None,
            low_pc: 0,
            str_offsets_base: gimli::DebugStrOffsetsBase::default_for_encoding_and_file(encoding, file_type),
            addr_base: gimli::DebugAddrBase(0),
            loclists_base: gimli::DebugLocListsBase::default_for_encoding_and_file(encoding, file_type),
            rnglists_base: gimli::DebugRngListsBase::default_for_encoding_and_file(encoding, file_type),
            line_program: None,
            dwo_id: None,
            header,
        };
        let mut entries = unit.header.entries_raw(&abbreviations, None).ok()?;
        let abbreviation = entries.read_abbreviation().ok()??;
        self.spend(abbreviation.attributes().len())?;
        let (mut low, mut program) = (None, None);
        for specification in abbreviation.attributes() {
            match entries.read_attribute(*specification).ok()?.value() {
                AttributeValue::DebugStrOffsetsBase(base) => unit.str_offsets_base = base,
                AttributeValue::DebugAddrBase(base) => unit.addr_base = base,
                AttributeValue::DebugRngListsBase(base) => unit.rnglists_base = base,
                AttributeValue::DebugLineRef(offset) => program = Some(offset),
                value if specification.name() == gimli::DW_AT_low_pc => low = Some(value),
                _ => {}
            }
        }
        // An indexed address needs the base, which may come after it.
        unit.low_pc = low.and_then(|low| self.dwarf.attr_address(&unit, low).ok()?).unwrap_or(0);
        Some((unit, program))
    }

    fn read_rows(&mut self, unit: &Unit<'a>, offset: DebugLineOffset, files: &mut Files<'a>) -> Option<()> {
        // The same program under many units costs its length each time.
        self.spend(self.line_program_bytes(offset)?)?;
        let program = self.dwarf.debug_line.program(offset, unit.header.address_size(), None, None).ok()?;
        files.header = Some(program.header().clone());
        if !self.line_programs.insert(offset.0) {
            return Some(());
        }
        let (mut rows, mut sequence) = (program.rows(), self.lines.rows.len());
        while let Ok(Some((_, row))) = rows.next_row() {
            self.spend(1)?;
            let address = u32::try_from(row.address()).ok()?;
            let at = if row.end_sequence() { NOWHERE } else { self.row_location(unit, row, files) };
            if self.lines.rows.len() < ROWS_MAX {
                self.lines.rows.push(Row { address, at });
            }
            if row.end_sequence() {
                // The linker moves code that it dropped to address 0 or beyond the end.
                let first = self.lines.rows.get(sequence).map_or(0, |row| row.address);
                if first == 0 || address as usize > self.lines.code.len() {
                    self.lines.rows.truncate(sequence);
                }
                sequence = self.lines.rows.len();
            }
        }
        self.lines.rows.truncate(sequence);
        Some(())
    }

    fn row_location(&mut self, unit: &Unit<'a>, row: &gimli::LineRow, files: &mut Files<'a>) -> Location {
        let Some(line) = row.line().and_then(|line| u32::try_from(line.get()).ok()) else { return NOWHERE };
        let column = match row.column() {
            gimli::ColumnType::LeftEdge => 0,
            gimli::ColumnType::Column(column) => u32::try_from(column.get()).unwrap_or(0),
        };
        Location { file: self.file(unit, files, row.file_index()), line, column }
    }

    /// How long a line program is by its own word, if that can be and its header is of a size that we would parse.
    fn line_program_bytes(&self, offset: DebugLineOffset) -> Option<usize> {
        use gimli::{Reader, Section};
        let mut input = *self.dwarf.debug_line.reader();
        input.skip(offset.0).ok()?;
        let (length, format) = input.read_initial_length().ok()?;
        let inside = length <= input.len();
        let version = input.read_u16().ok()?;
        if version >= 5 {
            // The sizes of an address and of a segment selector.
            input.read_u16().ok()?;
        }
        let header_length = input.read_length(format).ok()?;
        (inside && header_length <= LINE_HEADER_BYTES_MAX).then_some(length)
    }

    fn read_scopes(&mut self, unit: &Unit<'a>, files: &mut Files<'a>) -> Option<()> {
        let abbreviations = unit.abbreviations.clone();
        let mut entries = unit.header.entries_raw(&abbreviations, None).ok()?;
        while !entries.is_empty() {
            self.spend(1)?;
            let (offset, depth) = (entries.next_offset(), entries.next_depth());
            let Some(abbreviation) = entries.read_abbreviation().ok()? else { continue };
            self.spend(abbreviation.attributes().len())?;
            if !matches!(abbreviation.tag(), gimli::DW_TAG_subprogram | gimli::DW_TAG_inlined_subroutine) {
                entries.skip_attributes(abbreviation.attributes()).ok()?;
                continue;
            }
            let mut function = Function::default();
            for specification in abbreviation.attributes() {
                self.read_attribute(unit, &entries.read_attribute(*specification).ok()?, &mut function);
            }
            let offset = unit.header.offset().0 + offset.0;
            self.add_function(unit, files, offset, u32::try_from(depth).unwrap_or(0), function)?;
        }
        Some(())
    }

    fn read_attribute(&self, unit: &Unit<'a>, attribute: &gimli::Attribute<Slice<'a>>, function: &mut Function<'a>) {
        let value = attribute.value();
        let number = || attribute.udata_value().unwrap_or(0);
        match attribute.name() {
            gimli::DW_AT_name => function.name = self.raw_text(unit, value),
            gimli::DW_AT_linkage_name => function.linkage_name = self.raw_text(unit, value),
            gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => {
                function.same_as = match value {
                    AttributeValue::UnitRef(offset) => unit.header.offset().0.checked_add(offset.0),
                    AttributeValue::DebugInfoRef(offset) => Some(offset.0),
                    _ => None,
                };
            }
            gimli::DW_AT_low_pc => function.low = self.dwarf.attr_address(unit, value).ok().flatten(),
            gimli::DW_AT_high_pc => function.high = Some(value),
            gimli::DW_AT_ranges => function.ranges = Some(value),
            gimli::DW_AT_call_file => function.call.0 = number(),
            gimli::DW_AT_call_line => function.call.1 = u32::try_from(number()).unwrap_or(0),
            gimli::DW_AT_call_column => function.call.2 = u32::try_from(number()).unwrap_or(0),
            _ => {}
        }
    }

    fn add_function(
        &mut self,
        unit: &Unit<'a>,
        files: &mut Files<'a>,
        offset: usize,
        depth: u32,
        function: Function<'a>,
    ) -> Option<()> {
        let text = function.linkage_name.or(function.name).map(Name::Text);
        if let (Some(name), true) = (text.or(function.same_as.map(Name::SameAs)), self.names.len() < NAMES_MAX) {
            self.names.insert(offset, name);
        }
        let (file, line, column) = function.call;
        let file = if line == 0 { NONE } else { self.file(unit, files, file) };
        let scope = Scope { low: 0, high: 0, depth, name: NONE, call: Location { file, line, column } };
        if let Some(ranges) = function.ranges {
            return self.add_ranges(unit, ranges, offset, scope);
        }
        let (Some(low), Some(high)) = (function.low, function.high) else { return Some(()) };
        let high = match high.udata_value() {
            Some(length) => low.checked_add(length),
            None => self.dwarf.attr_address(unit, high).ok().flatten(),
        };
        self.add_scope(low, high?, offset, scope);
        Some(())
    }

    /// By the raw list: gimli's own iterator passes over any number of entries that hold no range in one step.
    fn add_ranges(
        &mut self,
        unit: &Unit<'a>,
        ranges: AttributeValue<Slice<'a>>,
        offset: usize,
        scope: Scope,
    ) -> Option<()> {
        let Ok(Some(list)) = self.dwarf.attr_ranges_offset(unit, ranges) else { return Some(()) };
        let Ok(mut list) = self.dwarf.raw_ranges(unit, list) else { return Some(()) };
        let mut base = unit.low_pc;
        while let Ok(Some(entry)) = list.next() {
            self.spend(1)?;
            let address = |index| self.dwarf.address(unit, index).ok();
            let (low, high) = match entry {
                RawRngListEntry::AddressOrOffsetPair { begin, end } | RawRngListEntry::OffsetPair { begin, end } => {
                    (base.checked_add(begin)?, base.checked_add(end)?)
                }
                RawRngListEntry::BaseAddress { addr } => {
                    base = addr;
                    continue;
                }
                RawRngListEntry::BaseAddressx { addr } => {
                    base = address(addr)?;
                    continue;
                }
                RawRngListEntry::StartxEndx { begin, end } => (address(begin)?, address(end)?),
                RawRngListEntry::StartxLength { begin, length } => {
                    let begin = address(begin)?;
                    (begin, begin.checked_add(length)?)
                }
                RawRngListEntry::StartEnd { begin, end } => (begin, end),
                RawRngListEntry::StartLength { begin, length } => (begin, begin.checked_add(length)?),
            };
            self.add_scope(low, high, offset, scope);
        }
        Some(())
    }

    fn add_scope(&mut self, low: u64, high: u64, offset: usize, scope: Scope) {
        let (Ok(low), Ok(high)) = (u32::try_from(low), u32::try_from(high)) else { return };
        let live = low != 0 && low < high && high as usize <= self.lines.code.len();
        if live && self.lines.scopes.len() < SCOPES_MAX {
            self.lines.scopes.push(Scope { low, high, ..scope });
            self.named_by.push(offset);
        }
    }

    fn file(&mut self, unit: &Unit<'a>, files: &mut Files<'a>, index: u64) -> u32 {
        if let Some(known) = files.known.get(&index) {
            return *known;
        }
        let Some(header) = &files.header else { return NONE };
        let Some(entry) = header.file(index) else { return NONE };
        let mut path = Vec::new();
        let name = self.raw_text(unit, entry.path_name()).unwrap_or_default();
        // Directory 0 is where the compiler ran: rustc's panics leave it out too.
        if entry.directory_index() != 0 && !name.starts_with(b"/") {
            let folder = header.directory(entry.directory_index()).and_then(|folder| self.raw_text(unit, folder));
            path.extend_from_slice(folder.unwrap_or_default());
            path.push(b'/');
        }
        path.extend_from_slice(name);
        let known = self.intern(&path);
        files.known.insert(index, known);
        known
    }

    /// A text of the module's, looked at no further than its first kilobyte.
    fn raw_text(&self, unit: &Unit<'a>, value: AttributeValue<Slice<'a>>) -> Option<&'a [u8]> {
        use gimli::Section;
        let (section, offset) = match value {
            AttributeValue::String(text) => return text.slice().get(..text.len().min(TEXT_BYTES_MAX)),
            AttributeValue::DebugStrRef(offset) => (self.dwarf.debug_str.reader(), offset.0),
            AttributeValue::DebugLineStrRef(offset) => (self.dwarf.debug_line_str.reader(), offset.0),
            AttributeValue::DebugStrOffsetsIndex(index) => {
                (self.dwarf.debug_str.reader(), self.dwarf.string_offset(unit, index).ok()?.0)
            }
            _ => return None,
        };
        let text = section.slice().get(offset..)?;
        let text = text.get(..TEXT_BYTES_MAX).unwrap_or(text);
        text.split(|byte| *byte == 0).next()
    }

    fn intern(&mut self, text: &[u8]) -> u32 {
        let text = String::from_utf8_lossy(text);
        if let Some(known) = self.interned.get(&*text) {
            return *known;
        }
        if self.interned_bytes + text.len() > TEXTS_BYTES_MAX {
            return NONE;
        }
        // A text of no bytes takes room as well.
        self.interned_bytes += text.len() + 64;
        let index = u32::try_from(self.lines.texts.len()).unwrap_or(NONE);
        self.lines.texts.push(text.clone().into_owned());
        self.interned.insert(text.into_owned(), index);
        index
    }

    fn name(&self, mut offset: usize) -> Option<&'a [u8]> {
        for _ in 0..LINKS_MAX {
            match self.names.get(&offset)? {
                Name::Text(text) => return Some(text),
                Name::SameAs(other) => offset = *other,
            }
        }
        None
    }

    fn finish(mut self) -> Lines {
        for index in 0..self.named_by.len() {
            if let Some(name) = self.name(self.named_by[index]) {
                self.lines.scopes[index].name = self.intern(name);
            }
        }
        // Stable, so that of several rows at one address the last counts; but one that ends a sequence comes before
        // those that begin the next.
        self.lines.rows.sort_by_key(|row| (row.address, row.at != NOWHERE));
        self.lines
    }
}

/// Each table of abbreviations, parsed once and only up to the start of the next: tables that overlap would cost the
/// square of their size.
struct Abbreviations<'a> {
    section: &'a [u8],
    starts: Vec<usize>,
    tables: HashMap<usize, Option<Arc<gimli::Abbreviations>>>,
}

impl<'a> Abbreviations<'a> {
    fn new(section: &'a [u8]) -> Abbreviations<'a> {
        Abbreviations { section, starts: Vec::new(), tables: HashMap::new() }
    }

    fn starts(&mut self, starts: impl Iterator<Item = usize>) {
        self.starts = starts.collect();
        self.starts.sort_unstable();
        self.starts.dedup();
    }

    fn table(&mut self, start: usize) -> Option<Arc<gimli::Abbreviations>> {
        let next = self.starts.get(self.starts.partition_point(|other| *other <= start));
        let end = next.copied().unwrap_or(self.section.len());
        let section = self.section;
        let parse = || {
            let table = gimli::DebugAbbrev::new(section.get(start..end)?, LittleEndian);
            table.abbreviations(gimli::DebugAbbrevOffset(0)).ok().map(Arc::new)
        };
        self.tables.entry(start).or_insert_with(parse).clone()
    }
}
