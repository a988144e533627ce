//! What a second worker is worth to isolates that only compute.

use insula::Host;

use crate::guest::{Ours, Wasm};
use crate::measure::Effort;
use crate::table::Row;

/// Two isolates on two workers, beside the same two on one.
pub(super) fn workers(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let hosts = [1, 2].map(|threads| Ours::with(wasm, Host::builder().isolates(10).threads(threads)));
    let [one, two] = hosts;
    let (one, two) = (one?, two?);
    let work = (2_u32, effort.of(200));
    let (with_two, with_one) = effort.in_turns(|| two.ask("cpu", &work), || one.ask("cpu", &work))?;
    Ok(vec![Row::cost("cpu: 2 isolates on 2 workers beside 1", with_two / 1e6, with_one / 1e6, 1.9, "ms")])
}
