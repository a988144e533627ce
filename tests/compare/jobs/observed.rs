//! What it costs to be observed: round trips of one host, with an observer and without, in turns.

use std::sync::{Arc, Mutex, PoisonError};

use insula::{Event, Observation};

use crate::guest::{Ours, Wasm};
use crate::measure::Effort;
use crate::table::Row;

/// Round trips beside the same of the same host, that nobody observes.
pub(super) fn round_trips(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, 10)?;
    let count = effort.of(200_000);
    let alone = || ours.ask::<_, f64>("ping-pong", &count);
    let lives = || {
        let _observation = ours.host.observe_lives(|_| ())?;
        alone()
    };
    let (nanos, unobserved) = effort.in_turns(lives, alone)?;
    let lives = Row::cost("ping-pong, lives observed", nanos, unobserved, 0.97, "ns");
    let all = || {
        let kept = Arc::<Mutex<Vec<Vec<Event>>>>::default();
        let observation = keeping(&ours, &kept)?;
        let nanos = alone()?;
        drop(observation);
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Two turns, two sends and two receives, or something was not kept.
        let events = kept.iter().map(Vec::len).sum::<usize>() as u64;
        anyhow::ensure!(events >= 6 * u64::from(count), "{events} events of {count} round trips");
        Ok(nanos)
    };
    let (nanos, unobserved) = effort.in_turns(all, alone)?;
    Ok(vec![lives, Row::cost("ping-pong, all observed and kept", nanos, unobserved, 0.87, "ns")])
}

/// An observer that keeps all of it, as that of `insula run --trace` does.
fn keeping(ours: &Ours, kept: &Arc<Mutex<Vec<Vec<Event>>>>) -> anyhow::Result<Observation> {
    let kept = Arc::clone(kept);
    let keep = move |events: &[Event]| kept.lock().unwrap_or_else(PoisonError::into_inner).push(events.to_vec());
    Ok(ours.host.observe(keep)?)
}
