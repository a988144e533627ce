//! WASI preview 1: wasmtime-wasi's, with ours in front where a turn ends or an isolate does.
//!
//! `poll_oneoff`, `sched_yield` and `proc_exit` are ours. wasmtime-wasi's `poll_oneoff` awaits tokio by itself (no turn
//! would end, no pause would hold), and its exit codes above 125 become traps. What else may wait is wasmtime-wasi's,
//! behind a mark of ours (`calls`).

mod calls;

use std::task::Waker;
use std::time::Duration;

use insula_wire::layout::List;
use wasmtime::{Caller, Result, Trap};
use wasmtime_wasi::p1;

use crate::abi::{Definer, Ended, State, Until, view, wait};
use crate::control::{Call, Flags};
use crate::exit::Exit;
use crate::spawn::Stdin;
use crate::stdio::StdinReady;
use crate::world::NEVER;

const PREVIEW_1: &str = "wasi_snapshot_preview1";

/// Subscriptions in one poll.
const SUBSCRIPTIONS_MAX: u32 = 16_384;

/// Defines WASI in the linker.
///
/// # Errors
/// Only where two imports have one name.
pub(crate) fn link(linker: &mut Definer) -> Result<()> {
    calls::link(linker)?;
    linker.func_wrap_async(PREVIEW_1, "poll_oneoff", |caller, (subscriptions, events, count, result)| {
        Box::new(poll_oneoff(caller, subscriptions, events, count, result))
    })?;
    linker.func_wrap_async(PREVIEW_1, "sched_yield", |caller, (): ()| Box::new(sched_yield(caller)))?;
    linker.func_wrap(PREVIEW_1, "proc_exit", |_: Caller<'_, State>, code: u32| -> Result<()> {
        Err(Ended::error(Exit::ProcExit { code }))
    })
}

/// wasmtime-wasi's context of the guest that calls. One that was declared dead in the middle of its code has none of
/// what it had.
fn context(state: &mut State) -> &mut p1::WasiP1Ctx {
    if state.control.flags.any(Flags::LEFT_BEHIND) {
        state.wasi.strip();
    }
    state.called();
    let State { wasi, control, .. } = state;
    wasi.context(control)
}

const ERRNO_SUCCESS: u16 = 0;
const ERRNO_AGAIN: u16 = 6;
const ERRNO_BADF: u16 = 8;
const ERRNO_INVAL: u16 = 28;

/// Ends the turn and lets others run.
async fn sched_yield(caller: Caller<'_, State>) -> Result<u32> {
    let state = caller.data();
    let (no_end, call) = (state.has_no_end(), Flags::of_call(Call::SchedYield));
    let until = Until { deadline: NEVER, ports_only: false, no_end, call };
    let mut yielded = false;
    wait(caller, until, |_: &mut Caller<'_, State>, waker: &Waker| {
        if !std::mem::replace(&mut yielded, true) {
            waker.wake_by_ref();
            return None;
        }
        Some(())
    })
    .await?;
    Ok(u32::from(ERRNO_SUCCESS))
}

/// What one subscription waits for.
#[derive(Clone, Copy)]
enum Awaited {
    /// An instant of the world's clock.
    Clock(u64),
    /// A descriptor: input of the terminal may have to be waited for, all else is always ready.
    Read(u32),
    Write,
    Invalid(u16),
}

#[derive(Clone, Copy)]
struct Subscription {
    userdata: u64,
    kind: u8,
    awaited: Awaited,
}

const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: usize = 32;

async fn poll_oneoff(
    mut caller: Caller<'_, State>,
    subscriptions: u32,
    events: u32,
    count: u32,
    result: u32,
) -> Result<u32> {
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Ok(u32::from(ERRNO_INVAL));
    }
    let (mut guest, state) = view(&mut caller)?;
    let now = (state.place.world.now(), state.wasi.outfit.wall());
    let records = guest.elements(List { pointer: subscriptions, count }, SUBSCRIPTION_BYTES)?;
    let wanted: Vec<Subscription> = records.map(|record| subscription(record, now)).collect();
    let room = List { pointer: events, count: count.checked_mul(EVENT_BYTES as u32).ok_or(Trap::MemoryOutOfBounds)? };
    guest.bytes_mut(room)?;

    let deadlines = wanted.iter().filter_map(|subscription| match subscription.awaited {
        Awaited::Clock(at) => Some(state.instant(at)),
        Awaited::Read(_) | Awaited::Write | Awaited::Invalid(_) => None,
    });
    let deadline = deadlines.min().unwrap_or(NEVER);
    let ready_input = state.wasi.outfit.stdin != Stdin::Inherit;
    let at_once = wanted.iter().any(|subscription| match subscription.awaited {
        Awaited::Clock(_) => false,
        Awaited::Read(fd) => fd != 0 || ready_input,
        Awaited::Write | Awaited::Invalid(_) => true,
    });
    let reads_stdin = wanted.iter().any(|subscription| matches!(subscription.awaited, Awaited::Read(0)));
    let no_end = state.has_no_end();
    let deadline = if at_once { 0 } else { deadline };
    let until = Until { deadline, ports_only: false, no_end, call: Flags::of_call(Call::PollOneoff) };
    let mut input = reads_stdin.then(StdinReady::new);
    let ready = wait(&mut caller, until, |_: &mut &mut Caller<'_, State>, waker: &Waker| match &mut input {
        Some(input) if !at_once => input.poll(waker).then_some(()),
        Some(_) | None => None,
    });
    let input_is_ready = ready.await?.is_some() || ready_input;
    let happened = happened(&wanted, caller.data().place.world.now(), input_is_ready, caller.data());
    let (mut guest, _) = view(&mut caller)?;
    for (event, at) in happened.iter().zip((events..).step_by(EVENT_BYTES)) {
        guest.bytes_mut(List { pointer: at, count: EVENT_BYTES as u32 })?.copy_from_slice(event);
    }
    guest.put_u32s(result, &[u32::try_from(happened.len()).unwrap_or(count)])?;
    Ok(u32::from(ERRNO_SUCCESS))
}

/// The events of all subscriptions that have happened.
fn happened(wanted: &[Subscription], now: u64, input_is_ready: bool, state: &State) -> Vec<[u8; EVENT_BYTES]> {
    let happened = wanted.iter().filter_map(|subscription| {
        let (yes, error) = match subscription.awaited {
            Awaited::Clock(at) => (state.instant(at) <= now, ERRNO_SUCCESS),
            Awaited::Read(0) => (input_is_ready, ERRNO_SUCCESS),
            Awaited::Read(_) | Awaited::Write => (true, ERRNO_SUCCESS),
            Awaited::Invalid(error) => (true, error),
        };
        yes.then(|| event(subscription, error))
    });
    happened.collect()
}

fn event(subscription: &Subscription, error: u16) -> [u8; EVENT_BYTES] {
    let mut event = [0; EVENT_BYTES];
    event[0..8].copy_from_slice(&subscription.userdata.to_le_bytes());
    event[8..10].copy_from_slice(&error.to_le_bytes());
    event[10] = subscription.kind;
    if subscription.kind != KIND_CLOCK {
        event[16..24].copy_from_slice(&1_u64.to_le_bytes());
    }
    event
}

const KIND_CLOCK: u8 = 0;
const KIND_READ: u8 = 1;
const KIND_WRITE: u8 = 2;

/// A subscription record of preview 1: userdata, a tagged union, and in it a clock or a descriptor.
fn subscription(record: &[u8], (monotonic, wall): (u64, Duration)) -> Subscription {
    let u32_at = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().expect("four bytes of a record"));
    let u64_at = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().expect("eight bytes of a record"));
    let absolute = record[40] & 1 != 0;
    let timeout = u64_at(24);
    let awaited = match (record[8], u32_at(16)) {
        (KIND_CLOCK, 0) if absolute => {
            let wall = u64::try_from(wall.as_nanos()).unwrap_or(NEVER);
            Awaited::Clock(monotonic.saturating_add(timeout.saturating_sub(wall)))
        }
        (KIND_CLOCK, 1) if absolute => Awaited::Clock(timeout),
        (KIND_CLOCK, 0 | 1) => Awaited::Clock(monotonic.saturating_add(timeout)),
        (KIND_READ, fd) => Awaited::Read(fd),
        (KIND_WRITE, fd) if fd > i32::MAX as u32 => Awaited::Invalid(ERRNO_BADF),
        (KIND_WRITE, _) => Awaited::Write,
        _ => Awaited::Invalid(ERRNO_INVAL),
    };
    Subscription { userdata: u64_at(0), kind: record[8], awaited }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Linker};

    use super::*;
    use crate::abi;

    /// Names and types of what a linker has of WASI.
    fn of_wasi(linker: &Linker<State>, engine: &Engine) -> Vec<(String, String)> {
        let all = abi::defined(engine, linker).into_iter().filter(|(module, ..)| module == PREVIEW_1);
        let mut all: Vec<_> = all.map(|(_, field, function)| (field, format!("{function}"))).collect();
        all.sort();
        all
    }

    #[test]
    fn there_is_all_that_wasmtime_has_of_it() {
        let engine = Engine::default();
        let mut theirs = Linker::new(&engine);
        p1::add_to_linker_async(&mut theirs, context).unwrap();
        let mut ours = abi::link_every(&engine).unwrap();
        link(&mut ours).unwrap();
        let (ours, theirs) = (of_wasi(ours.linker(), &engine), of_wasi(&theirs, &engine));
        assert!(theirs.len() > 40);
        assert_eq!(ours, theirs);
    }
}
