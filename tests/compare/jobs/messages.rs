//! Messages, beside two tokio tasks that pass the same bytes.

use std::time::Instant;

use insula::{Grant, Limits, Spawn};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::guest::{Ours, Wasm};
use crate::measure::Effort;
use crate::table::Row;

#[derive(Serialize, Deserialize)]
struct Small {
    text: String,
    one: u32,
    two: u32,
    three: u64,
}

fn small() -> Small {
    Small { text: "a short text".to_owned(), one: 1, two: 2, three: 3 }
}

/// tokio with two workers, as insula has.
pub(super) fn two_workers() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

fn one_thread() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Round trips.
pub(super) fn ping_pong(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, 10)?;
    let (two, one) = (two_workers()?, one_thread()?);
    let count = effort.of(200_000);
    let typed = || ours.ask("ping-pong", &count);
    let (nanos, beside_two) = effort.in_turns(typed, || native_ping_pong(&two, count))?;
    let (again, beside_one) = effort.in_turns(typed, || native_ping_pong(&one, count))?;
    let (typed_nanos, raw_nanos) = effort.in_turns(typed, || ours.ask("ping-pong-raw", &count))?;
    Ok(vec![
        Row::cost("ping-pong beside tokio, 2 workers", nanos, beside_two, 0.75, "ns (stretch 1.0)"),
        Row::cost("ping-pong beside tokio, 1 thread", again, beside_one, 0.5, "ns (stretch 0.65)"),
        Row::cost("ping-pong typed beside raw", typed_nanos, raw_nanos, 0.8, "ns"),
    ])
}

fn native_ping_pong(runtime: &Runtime, count: u32) -> anyhow::Result<f64> {
    runtime.block_on(async move {
        let (there, mut at_there) = mpsc::unbounded_channel::<Vec<u8>>();
        let (back, mut at_back) = mpsc::unbounded_channel::<Vec<u8>>();
        let echo = tokio::spawn(async move {
            while let Some(bytes) = at_there.recv().await {
                let message: Small = postcard::from_bytes(&bytes)?;
                back.send(postcard::to_allocvec(&message)?)?;
            }
            anyhow::Ok(())
        });
        let ping = tokio::spawn(async move {
            let mut message = small();
            let began = Instant::now();
            for _ in 0..count {
                there.send(postcard::to_allocvec(&message)?)?;
                message = postcard::from_bytes(&at_back.recv().await.unwrap_or_default())?;
            }
            anyhow::Ok(began.elapsed().as_nanos() as f64 / f64::from(count))
        });
        let nanos = ping.await??;
        echo.await??;
        Ok(nanos)
    })
}

/// Messages of a mailbox that makes its senders wait.
const SMALL_WINDOW: usize = 1_024;
const LARGE_WINDOW: usize = 16;

/// One direction.
pub(super) fn one_way(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, 10)?;
    let two = two_workers()?;
    let count = effort.of(500_000);
    let small = || ask_bounded::<_, f64>(&ours, "one-way", &count, SMALL_WINDOW);
    let (nanos, native) = effort.in_turns(small, || native_one_way(&two, count))?;
    let mut rows = vec![Row::cost("one-way, small", nanos, native, 0.9, "ns each")];
    let mut last = f64::NAN;
    for (name, length, count) in [("one-way, 64 KiB", 64_u32 << 10, 20_000), ("one-way, 1 MiB", 1 << 20, 2_000)] {
        let count = effort.of(count);
        let large = || ask_bounded::<_, f64>(&ours, "one-way-large", &(count, length), LARGE_WINDOW);
        let (nanos, native) = effort.in_turns(large, || native_one_way_large(&two, count, length as usize))?;
        rows.push(Row::cost(name, nanos / 1e3, native / 1e3, 0.9, "us each"));
        last = nanos;
    }
    let blob = effort.alone(|| ours.ask("blob", &(effort.of(20_000), 1_u32 << 20)))?;
    rows.push(Row::cost("blob of 1 MiB beside one-way, 1 MiB", blob / 1e3, last / 1e3, 20.0, "us each"));
    Ok(rows)
}

/// As `Ours::ask`, with a mailbox that holds so many messages.
fn ask_bounded<A: Serialize, V: serde::de::DeserializeOwned + 'static>(
    ours: &Ours,
    export: &str,
    argument: &A,
    window: usize,
) -> anyhow::Result<V> {
    let limits = Limits::default().mailbox(window as u64, 1 << 30).sender_percent(100);
    let spawn = Spawn::entry(export).grant(Grant::fine_clock()).limits(limits);
    Ok(ours.host.compute(&ours.module, spawn, argument)?.join()?)
}

fn native_one_way(runtime: &Runtime, count: u32) -> anyhow::Result<f64> {
    runtime.block_on(async move {
        let (to, mut from) = mpsc::channel::<Vec<u8>>(SMALL_WINDOW);
        tokio::spawn(async move {
            let message = small();
            for _ in 0..count {
                to.send(postcard::to_allocvec(&message)?).await?;
            }
            anyhow::Ok(())
        });
        let receiver = tokio::spawn(async move {
            let mut receive = async || {
                let message: Small = postcard::from_bytes(&from.recv().await.unwrap_or_default())?;
                anyhow::ensure!(message.three == 3, "not what was sent");
                Ok(())
            };
            receive().await?;
            let began = Instant::now();
            for _ in 1..count {
                receive().await?;
            }
            anyhow::Ok(began.elapsed().as_nanos() as f64 / f64::from(count - 1))
        });
        receiver.await?
    })
}

/// Two copies: out of the sender's bytes into the message, and out of that into the receiver's.
fn native_one_way_large(runtime: &Runtime, count: u32, length: usize) -> anyhow::Result<f64> {
    runtime.block_on(async move {
        let (to, mut from) = mpsc::channel::<Vec<u8>>(LARGE_WINDOW);
        tokio::spawn(async move {
            let message = vec![7_u8; length];
            for _ in 0..count {
                to.send(message.clone()).await?;
            }
            anyhow::Ok(())
        });
        let receiver = tokio::spawn(async move {
            let mut buffer = vec![0_u8; length];
            let mut receive = async || {
                let bytes = from.recv().await.unwrap_or_default();
                anyhow::ensure!(bytes.len() == length, "not what was sent");
                buffer.copy_from_slice(&bytes);
                std::hint::black_box(&buffer);
                Ok(())
            };
            receive().await?;
            let began = Instant::now();
            for _ in 1..count {
                receive().await?;
            }
            anyhow::Ok(began.elapsed().as_nanos() as f64 / f64::from(count - 1))
        });
        receiver.await?
    })
}
