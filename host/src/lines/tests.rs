//! DWARF by hand: a program of three functions, and what a stranger would write to hurt.

use super::*;

/// The sections of a module under construction. Addresses count from the start of the code section's contents.
#[derive(Default)]
struct Dwarf {
    abbreviations: Vec<u8>,
    info: Vec<u8>,
    line: Vec<u8>,
    ranges: Vec<u8>,
}

// Abbreviation codes, all in the one table of `ABBREVIATIONS`.
const UNIT: u8 = 1;
const FUNCTION: u8 = 2;
const INLINED: u8 = 3;
const INLINED_IN_RANGES: u8 = 4;

/// Code, tag, has children, then (attribute, form) pairs up to (0, 0).
const ABBREVIATIONS: &[u8] = &[
    UNIT,
    0x11,
    1,
    /* stmt_list */ 0x10,
    0x17,
    /* low_pc */ 0x11,
    0x01,
    0,
    0, //
    FUNCTION,
    0x2e,
    1,
    /* name */ 0x03,
    0x08,
    /* low_pc */ 0x11,
    0x01,
    /* high_pc */ 0x12,
    0x06,
    0,
    0, //
    INLINED,
    0x1d,
    1,
    /* origin */ 0x31,
    0x13,
    /* low_pc */ 0x11,
    0x01,
    /* high_pc */ 0x12,
    0x06, //
    /* call_file, call_line */ 0x58,
    0x0b,
    0x59,
    0x0b,
    0,
    0, //
    INLINED_IN_RANGES,
    0x1d,
    0,
    /* origin */ 0x31,
    0x13,
    /* ranges */ 0x55,
    0x17,
    0,
    0,
    0,
];

/// A version 4 line program over `src/main.rs`: (address, line) rows, then the end of the sequence.
fn line_program(rows: &[(u32, u8)], end: u32) -> Vec<u8> {
    let mut header = vec![1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
    header.extend(b"src\0\0main.rs\0\x01\0\0\0");
    let mut program = Vec::new();
    let mut last = (0, 1);
    for (address, line) in rows {
        program.extend([0, 5, 2]);
        program.extend(address.to_le_bytes());
        // advance_line takes a signed LEB128; the tests stay below 64.
        program.extend([3, (i16::from(*line) - last.1) as u8 & 0x7f, 5, 7, 1]);
        last = (*address, i16::from(*line));
    }
    program.extend([0, 5, 2]);
    program.extend(end.to_le_bytes());
    program.extend([0, 1, 1]);
    let mut out = ((2 + 4 + header.len() + program.len()) as u32).to_le_bytes().to_vec();
    out.extend(4u16.to_le_bytes());
    out.extend((header.len() as u32).to_le_bytes());
    out.extend(header);
    out.extend(program);
    out
}

impl Dwarf {
    fn new() -> Dwarf {
        Dwarf { abbreviations: ABBREVIATIONS.to_vec(), ..Dwarf::default() }
    }

    /// A unit of these entries, over the line program at the start of the section.
    fn unit(&mut self, entries: &[u8]) {
        let root = [&[UNIT][..], &[0; 8], entries, &[0]].concat();
        self.info.extend((2 + 4 + 1 + root.len() as u32).to_le_bytes());
        self.info.extend([4, 0, 0, 0, 0, 0, 4]);
        self.info.extend(root);
    }

    /// A module with code in which the addresses up to 200 lie, and these sections.
    fn module(&self) -> Vec<u8> {
        let mut wasm = wat::parse_str(format!("(module (func {}))", "nop ".repeat(300))).unwrap();
        let sections = [
            (".debug_abbrev", &self.abbreviations),
            (".debug_info", &self.info),
            (".debug_line", &self.line),
            (".debug_ranges", &self.ranges),
        ];
        for (name, bytes) in sections {
            let body = [&[name.len() as u8][..], name.as_bytes(), bytes].concat();
            wasm.push(0);
            wasm.extend((0..5).map(|at| (body.len() >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 }));
            wasm.extend(body);
        }
        wasm
    }
}

/// Of `from`'s function or inlined function: its range, as the abbreviations have it.
fn range(low: u32, length: u32) -> Vec<u8> {
    [low.to_le_bytes(), length.to_le_bytes()].concat()
}

/// `outer` at 10..100, into which at line 7 `middle` was inlined at 20..60, and into that at line 8 `inner` at 30..40.
fn nested() -> Dwarf {
    let mut dwarf = Dwarf::new();
    // Offsets within the unit: 11 bytes of header, 9 of the unit's entry.
    let (inner, middle) = (20u32, 20u32 + 1 + 6 + 8 + 1);
    let entries = [
        &[FUNCTION][..],
        b"inner\0",
        &range(0, 0),
        &[0], //
        &[FUNCTION],
        b"middle\0",
        &range(0, 0),
        &[0], //
        &[FUNCTION],
        b"outer\0",
        &range(10, 90), //
        &[INLINED],
        &middle.to_le_bytes(),
        &range(20, 40),
        &[1, 7], //
        &[INLINED],
        &inner.to_le_bytes(),
        &range(30, 10),
        &[1, 8], //
        &[0, 0, 0],
    ];
    dwarf.unit(&entries.concat());
    dwarf.line = line_program(&[(10, 2), (20, 3), (30, 4), (40, 5)], 100);
    dwarf
}

/// A module where at each of ten offsets twenty functions were inlined into each other, with names of a kilobyte; and the
/// first of these offsets.
pub(crate) fn wordy() -> (Vec<u8>, u64) {
    let mut dwarf = nested();
    let name = [&b"x".repeat(1_000)[..], b"\0"].concat();
    let inlined = [&[INLINED][..], &20u32.to_le_bytes(), &range(30, 10), &[1, 8]].concat();
    dwarf.unit(&[&[FUNCTION][..], &name, &range(30, 10), &inlined.repeat(20)].concat());
    let module = dwarf.module();
    let code = Lines::parse(&module).unwrap().code.start as u64;
    (module, code + 30)
}

fn told(lines: &Lines, address: u64) -> Vec<String> {
    let places = lines.find(lines.code.start as u64 + address);
    places.iter().map(Place::to_string).collect()
}

#[test]
fn an_address_is_told_with_the_functions_inlined_there() {
    let lines = Lines::parse(&nested().module()).unwrap();
    assert_eq!(told(&lines, 10), ["outer at src/main.rs:2:7"]);
    assert_eq!(told(&lines, 25), ["middle at src/main.rs:3:7", "outer at src/main.rs:7"]);
    assert_eq!(told(&lines, 39), ["inner at src/main.rs:4:7", "middle at src/main.rs:8", "outer at src/main.rs:7"]);
    assert_eq!(told(&lines, 99), ["outer at src/main.rs:5:7"]);
    assert_eq!(told(&lines, 100), [""; 0]);
    assert_eq!(told(&lines, 9), [""; 0]);
    assert_eq!((lines.find(0), lines.find(u64::MAX)), (vec![], vec![]));
}

#[test]
fn a_loaded_module_says_where_a_frame_is() {
    let host = crate::Host::builder().isolates(1).build().unwrap();
    let bytes = nested().module();
    let module = host.load("nested", &bytes).unwrap();
    let frame = |offset| crate::Frame { function: None, index: 0, offset };
    let code = Lines::parse(&bytes).unwrap().code.start as u64;
    let places = module.places(&frame(code + 25));
    let functions: Vec<_> = places.iter().map(|place| place.function.as_deref()).collect();
    let lines: Vec<_> = places.iter().filter_map(|place| place.spot.as_ref()).map(|spot| spot.line).collect();
    assert_eq!((functions, lines), (vec![Some("middle"), Some("outer")], vec![3, 7]));
    assert_eq!(module.places(&frame(u64::MAX)), []);
    assert_eq!(host.load("none", b"(module (func))").unwrap().places(&frame(code)), []);
    let forged = Place { function: Some("a\nb".to_owned()), spot: None };
    assert_eq!(forged.to_string(), "a\\nb");
}

#[test]
fn no_dwarf_no_lines() {
    assert!(Lines::parse(&wat::parse_str("(module (func))").unwrap()).is_none());
    assert!(Lines::parse(b"not wasm").is_none());
    assert!(Lines::parse(&[]).is_none());
    assert!(Lines::parse(&Dwarf::new().module()).is_none());
}

#[test]
fn code_that_the_linker_dropped_is_nobody_s() {
    for dropped in [0, 0xffff_ffff, 0xffff_fffe, 5000] {
        let mut dwarf = nested();
        dwarf.line = line_program(&[(dropped, 9)], dropped);
        dwarf.unit(&[&[FUNCTION][..], b"gone\0", &range(dropped, 50), &[0]].concat());
        assert!(Lines::parse(&dwarf.module()).is_none(), "{dropped:#x}");
    }
}

#[test]
fn junk_of_every_kind_is_survived() {
    let whole = nested();
    let base = whole.module();
    let debug = base.windows(6).position(|window| window == b".debug").unwrap();
    for at in debug..base.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, base[at].wrapping_add(1)] {
            let mut wasm = base.clone();
            wasm[at] = value;
            if let Some(lines) = Lines::parse(&wasm) {
                (0..120).for_each(|address| drop(told(&lines, address)));
            }
        }
        assert!(Lines::parse(&base[..at]).is_none_or(|lines| told(&lines, 39).len() <= 3));
    }
}

#[test]
fn a_hundred_thousand_functions_inlined_into_each_other_take_no_stack() {
    let mut dwarf = nested();
    let inlined = [&[INLINED][..], &20u32.to_le_bytes(), &range(30, 10), &[1, 8]].concat();
    dwarf.unit(&inlined.repeat(100_000));
    let lines = Lines::parse(&dwarf.module()).unwrap();
    assert_eq!(told(&lines, 35).len(), PLACES_MAX);
    assert_eq!(told(&lines, 25).len(), 2);
}

#[test]
fn entries_that_share_one_endless_list_of_ranges_run_out_of_fuel() {
    let mut dwarf = nested();
    // Moves of the base, which gimli's own iterator takes in one step however many they are.
    dwarf.ranges = [0xff, 0xff, 0xff, 0xff, 30, 0, 0, 0].repeat(1 << 16);
    let inlined = [&[INLINED_IN_RANGES][..], &20u32.to_le_bytes(), &[0; 4]].concat();
    dwarf.unit(&inlined.repeat(1 << 15));
    let lines = Lines::parse(&dwarf.module()).unwrap();
    assert_eq!(told(&lines, 25).len(), 2);
}

#[test]
fn units_that_share_one_long_line_program_run_out_of_fuel() {
    let mut dwarf = nested();
    let rows: Vec<(u32, u8)> = (0..10_000).map(|row| (10 + row % 90, 5)).collect();
    dwarf.line = line_program(&rows, 100);
    for _ in 0..10_000 {
        dwarf.unit(&[]);
    }
    assert!(Lines::parse(&dwarf.module()).unwrap().rows.len() <= 10_001);
}

#[test]
fn attributes_that_take_no_bytes_run_out_of_fuel() {
    let mut dwarf = nested();
    dwarf.abbreviations.pop();
    // Code 5: a hundred thousand times (attribute 1, flag_present).
    dwarf.abbreviations.extend([5, 0x34, 0]);
    dwarf.abbreviations.extend([1, 0x19].repeat(100_000));
    dwarf.abbreviations.extend([0, 0, 0]);
    dwarf.unit(&[5].repeat(1 << 16));
    assert_eq!(told(&Lines::parse(&dwarf.module()).unwrap(), 25).len(), 2);
}

#[test]
fn a_name_without_end_is_cut() {
    let mut dwarf = nested();
    let name = [b"_RNvC1a".as_slice(), &b"x".repeat(1 << 20), b"\0"].concat();
    dwarf.unit(&[&[FUNCTION][..], &name, &range(150, 10), &[0]].concat());
    dwarf.line.extend(line_program(&[(150, 1)], 160));
    let lines = Lines::parse(&dwarf.module()).unwrap();
    let places = lines.find(lines.code.start as u64 + 155);
    assert_eq!(places[0].function.as_ref().unwrap().len(), TEXT_BYTES_MAX);
    // A pair of units, a pair of those, and so on: 2^40 units to a demangler that follows every reference.
    let mut bomb = "_RINvC1a1f".to_owned();
    let mut last = None;
    for _ in 0..40 {
        let start = bomb.len() - "_R".len();
        let part = last.map_or("u".to_owned(), |last| format!("B{}", base_62(last)));
        bomb += &format!("T{part}{part}E");
        last = Some(start);
    }
    bomb.push('E');
    let shown = demangled(&bomb);
    assert!(shown.starts_with("a::f::<((), ()), (((), ()), ((), ())), "), "{shown}");
    assert!(shown.ends_with('…') && shown.len() <= TEXT_BYTES_MAX + '…'.len_utf8(), "{shown}");
}

/// A number as Rust's symbol mangling writes it: one less than it is, then an underscore; 0 is the underscore alone.
fn base_62(number: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut digits = Vec::new();
    let mut rest = number;
    while rest > 0 {
        rest -= usize::from(digits.is_empty());
        digits.insert(0, DIGITS[rest % 62]);
        rest /= 62;
    }
    format!("{}_", String::from_utf8(digits).unwrap())
}
