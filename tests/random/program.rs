//! Programs out of seeds, and smaller programs out of programs.

use std::fmt;

use super::language::{Authority, Birth, Op, Program};

/// Isolates of a program, at most.
const ISOLATES_MAX: u64 = 7;

/// Operations of a script before the spawns are put in, at most.
const OPS_MAX: u64 = 12;

/// Steele, Lea and Flood's SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in so many times.
    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick(&mut self) -> u8 {
        u8::try_from(self.below(8)).expect("it is below 8")
    }

    fn small(&mut self) -> u8 {
        1 + u8::try_from(self.below(4)).expect("it is below 4")
    }
}

/// The program of a seed.
pub(super) fn of_seed(seed: u64) -> Program {
    let mut chance = Chance(seed);
    let isolates = 2 + chance.below(ISOLATES_MAX - 1);
    let mut scripts: Vec<Vec<Op>> = (0..isolates).map(|label| script(&mut chance, label == 0)).collect();
    // From the last on, so that where a spawn is put in does not depend on those that come after it.
    for child in (1..isolates).rev() {
        let parent = &mut scripts[usize::try_from(chance.below(child)).expect("it is small")];
        let at = usize::try_from(chance.below(parent.len() as u64 / 2 + 1)).expect("it is small");
        parent.insert(at, Op::Spawn(birth(&mut chance, child)));
    }
    Program { scripts }
}

fn birth(chance: &mut Chance, child: u64) -> Birth {
    Birth {
        child: u32::try_from(child).expect("it is small"),
        paused: chance.one_in(8),
        fatal: !chance.one_in(3),
        scoped: chance.one_in(6),
        room: chance.one_in(4).then(|| chance.small() + 1),
        ports: (0..1 + chance.below(3)).map(|_| chance.pick()).collect(),
        knows_parent: chance.one_in(3),
    }
}

fn script(chance: &mut Chance, is_main: bool) -> Vec<Op> {
    let mut ops = Vec::new();
    if !chance.one_in(4) {
        // Most make themselves known: their own port is the last that they hold.
        ops.push(Op::Send { to: 0, port: Some(chance.pick()), handle: handle(chance, 2) });
    }
    let more = 2 + chance.below(OPS_MAX - 2);
    ops.extend((0..more).map(|_| op(chance)));
    let end = end(chance, is_main);
    ops.extend(end);
    ops
}

fn handle(chance: &mut Chance, times: u64) -> Option<(u8, Authority)> {
    let carries = chance.one_in(times);
    let authority = Authority { pause: !chance.one_in(4), terminate: !chance.one_in(3) };
    let pick = if chance.one_in(2) { 0 } else { chance.pick() };
    carries.then_some((pick, authority))
}

/// An operation, drawn by weight: the first numbers are talk, the last ones control.
fn op(chance: &mut Chance) -> Op {
    let (pick, whom) = (chance.pick(), chance.pick());
    match chance.below(78) {
        0..20 => Op::Send { to: pick, port: chance.one_in(3).then(|| chance.pick()), handle: handle(chance, 8) },
        20..23 => Op::TryReceive { port: pick },
        23..27 => Op::Receive { port: pick },
        27..30 => Op::ReceiveFor1Ms { port: pick },
        30..35 => Op::ReceiveAny,
        35..38 => Op::Drain { port: pick, messages_max: chance.small() },
        38..41 => Op::Open { waits: chance.one_in(2) },
        41 => Op::Close { port: pick },
        42 => Op::Discard { port: pick },
        43..45 => Op::DropPort { port: pick },
        45..48 => Op::Pause { whom, token: chance.one_in(2) },
        48..53 => Op::Resume { whom, token: chance.one_in(2) },
        53..55 => Op::ResumeBirth { whom },
        55..57 => Op::Kill { whom, at_once: chance.one_in(2) },
        57 => Op::KillTree { whom },
        58..62 => Op::Ping { whom, at_once: chance.one_in(2) },
        62..64 => Op::ListenExit { whom },
        64 => Op::ForgetExit { whom },
        65..68 => Op::Watch { whom, port: pick },
        68 => Op::ListenErrors { whom },
        69 => Op::ForgetErrors { whom },
        70 => Op::SetFatal { whom, fatal: chance.one_in(2) },
        71..74 => Op::Report,
        74..76 => Op::Sleep1Ms,
        _ => Op::Spin,
    }
}

/// How a script ends, if not by coming to its end. Main fails seldom: the run ends with it.
fn end(chance: &mut Chance, is_main: bool) -> Option<Op> {
    let serve = Op::Serve { messages_max: chance.small(), fails_at: chance.one_in(3).then(|| chance.small()) };
    match chance.below(if is_main { 60 } else { 24 }) {
        0..2 => Some(Op::Fail),
        2 => Some(Op::Panic),
        3 => Some(Op::Trap),
        4 => Some(Op::ProcExit { code: chance.pick() }),
        5..8 => Some(Op::Exit { to: chance.pick() }),
        8 => Some(Op::ExitSilently),
        9 => Some(Op::KillSelf { at_once: chance.one_in(2) }),
        10..17 => Some(serve),
        _ => None,
    }
}

/// The same program without one thing, for each thing: all of a script first, then single operations.
pub(super) fn smaller(program: &Program) -> Vec<Program> {
    let without = |change: &dyn Fn(&mut Program)| {
        let mut smaller = program.clone();
        change(&mut smaller);
        smaller
    };
    let mut found = Vec::new();
    for at in (0..program.scripts.len()).filter(|at| program.scripts[*at].len() > 1) {
        found.push(without(&|smaller| smaller.scripts[at].clear()));
    }
    for (at, script) in program.scripts.iter().enumerate() {
        for op in 0..script.len() {
            found.push(without(&|smaller| drop(smaller.scripts[at].remove(op))));
        }
    }
    found
}

/// A program for people: a line for each operation of those that can be born.
pub(super) struct Shown<'a>(pub(super) &'a Program);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_born = |label: usize| {
            let mut ops = self.0.scripts.iter().flatten();
            label == 0 || ops.any(|op| matches!(op, Op::Spawn(birth) if birth.child as usize == label))
        };
        for (label, script) in self.0.scripts.iter().enumerate().filter(|(label, _)| is_born(*label)) {
            writeln!(f, "isolate {label}:")?;
            for op in script {
                writeln!(f, "    {op:?}")?;
            }
        }
        Ok(())
    }
}

#[test]
fn a_seed_is_one_program() {
    assert_eq!(of_seed(7), of_seed(7));
    assert_ne!(of_seed(7), of_seed(8));
}

#[test]
fn each_child_is_spawned_by_one_script_of_somebody_before_it() {
    for program in (0..100).map(of_seed) {
        let mut children = Vec::new();
        for (parent, script) in program.scripts.iter().enumerate() {
            for op in script {
                if let Op::Spawn(birth) = op {
                    assert!((birth.child as usize) > parent);
                    children.push(birth.child as usize);
                }
            }
        }
        children.sort_unstable();
        assert_eq!(children, (1..program.scripts.len()).collect::<Vec<_>>());
    }
}
