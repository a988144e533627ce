//! Tokens round a ring, beside the same ring of tokio tasks.

use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::mpsc::unbounded_channel;

use super::messages::two_workers;
use crate::guest::{Ours, Wasm};
use crate::measure::Effort;
use crate::table::Row;

/// Members beside the one that measures. Some places of the host are left, for what the ring before left to be dropped.
const MEMBERS: u32 = 9_990;

/// One token, and a hundred.
pub(super) fn tokens(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let (ours, two) = (Ours::new(wasm, 10_000)?, two_workers()?);
    let mut rows = Vec::new();
    for (tokens, name, laps, least) in [(1, "ring, 1 token", 20, 400e3), (100, "ring, 100 tokens", 3, 2e6)] {
        let members = effort.of(MEMBERS);
        let around = || ours.ask::<_, f64>("ring", &(members, tokens, laps));
        let (rate, native) = effort.in_turns(around, || native(&two, members, tokens, laps))?;
        rows.push(Row::at_least(name, rate, least, "hops/s"));
        rows.push(Row::told_rate(format!("{name}, beside tokio"), rate, native, "hops/s"));
    }
    Ok(rows)
}

struct Token {
    number: u32,
    hops: u32,
}

/// As the guest's ring, step by step.
fn native(runtime: &Runtime, members: u32, tokens: u32, laps: u32) -> anyhow::Result<f64> {
    let measured = runtime.spawn(async move {
        let (to_first, mut port) = unbounded_channel();
        let (mut next, mut starts) = (to_first, Vec::new());
        for built in 1..=members {
            let (to, mut from) = unbounded_channel();
            tokio::spawn(async move {
                while let Some(Token { number, hops }) = from.recv().await {
                    if next.send(Token { number, hops: hops + 1 }).is_err() {
                        break;
                    }
                }
            });
            next = to;
            if built % (members / tokens) == 0 && starts.len() < tokens as usize {
                starts.push(next.clone());
            }
        }
        let began = Instant::now();
        for (number, start) in (0..).zip(&starts) {
            start.send(Token { number, hops: 0 })?;
        }
        let (mut hops, passes) = (0, tokens * laps);
        for pass in 1..=passes {
            let Some(token) = port.recv().await else { anyhow::bail!("the ring is open") };
            hops += u64::from(token.hops + 1);
            if pass + tokens <= passes {
                next.send(Token { hops: 0, ..token })?;
            }
        }
        Ok(hops as f64 / began.elapsed().as_secs_f64())
    });
    runtime.block_on(measured)?
}
