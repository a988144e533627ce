//! What it costs to be observed: round trips of one host, with an observer and without, in turns.

use crate::guest::{Ours, Wasm};
use crate::measure::Effort;
use crate::table::Row;

/// More than there are.
const EVENTS_MAX: usize = 1 << 21;

/// Round trips beside the same of the same host, that nobody observes.
pub(super) fn round_trips(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, 10)?;
    let count = effort.of(20_000);
    let alone = || ours.ask::<_, f64>("ping-pong", &count);
    let lives = || {
        let _observation = ours.host.observe_lives(|_| ())?;
        alone()
    };
    let (nanos, unobserved) = effort.in_many_turns(lives, alone)?;
    let lives = Row::cost("ping-pong, lives observed", nanos, unobserved, 0.97, "ns");
    let all = || {
        // As `insula run --trace` does.
        let recording = ours.host.record(EVENTS_MAX)?;
        let nanos = alone()?;
        let recorded = recording.stop();
        // Two turns, two sends and two receives, or something was not kept.
        let events = recorded.events.len() as u64;
        anyhow::ensure!(
            recorded.missed == 0 && events >= 6 * u64::from(count),
            "{events} events of {count} round trips"
        );
        Ok(nanos)
    };
    let (nanos, unobserved) = effort.in_many_turns(all, alone)?;
    Ok(vec![lives, Row::cost("ping-pong, all observed and kept", nanos, unobserved, 0.87, "ns")])
}
