//! Births and deaths, beside an OS thread that instantiates and runs the same module.

use std::time::Instant;

use insula::Host;
use wasmtime::{Engine, InstancePre, Linker, Module, Store};

use crate::guest::{Ours, Wasm, lives};
use crate::measure::Effort;
use crate::table::Row;

const TOGETHER: u32 = 10_000;

/// Spawned as fast as one isolate can, while others run and end.
pub(super) fn batch(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let wasm = lives(wasm);
    let ours = Ours::new(&wasm, TOGETHER)?;
    let threads = Threads::new(&wasm).map_err(told)?;
    let count = effort.of(TOGETHER);
    ours.ask::<_, f64>("spawn-batch", &count)?; // warms the slots of the pool
    let (our_nanos, their_nanos) =
        effort.in_turns(|| ours.ask("spawn-batch", &count), || threads.run_all(count.min(2_000)))?;
    Ok(vec![
        Row::at_most("spawn-batch", our_nanos / 1e3, 7.0, "us each (stretch 4)"),
        Row::cost("spawn-batch beside OS threads", our_nanos / 1e3, their_nanos / 1e3, 6.0, "us each"),
    ])
}

/// One is over before the next one begins.
pub(super) fn serial(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(&lives(wasm), 1_000)?;
    let nanos = effort.alone(|| ours.ask("spawn-serial", &effort.of(5_000)))?;
    let kept = Ours::with(&lives(wasm), Host::builder().isolates(1_000).threads(2).spawn_frames(true))?;
    let serial = |ours: &Ours| ours.ask::<_, f64>("spawn-serial", &effort.of(5_000));
    let (with, without) = effort.in_turns(|| serial(&kept), || serial(&ours))?;
    Ok(vec![
        Row::at_most("spawn-serial", nanos / 1e3, 10.0, "us each"),
        Row::told("spawn-serial, frames kept", with / 1e3, Some(without / 1e3), "us each"),
    ])
}

/// In places of the pool that nobody had before.
pub(super) fn cold(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let nanos = effort.alone(|| {
        let ours = Ours::new(&lives(wasm), TOGETHER)?;
        ours.ask("spawn-alive", &effort.of(TOGETHER - 1))
    })?;
    Ok(vec![Row::at_most("spawn-cold", nanos / 1e3, 30.0, "us each")])
}

/// wasmtime's errors are no `std` errors.
pub(super) fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

/// The reference: a thread for each instance, from a pool of wasmtime's.
struct Threads(InstancePre<()>);

impl Threads {
    /// Threads that live at once.
    const ALIVE: u32 = 100;

    fn new(wasm: &Wasm) -> wasmtime::Result<Threads> {
        let mut pool = wasmtime::PoolingAllocationConfig::default();
        pool.total_core_instances(2 * Threads::ALIVE)
            .total_memories(2 * Threads::ALIVE)
            .total_tables(2 * Threads::ALIVE);
        pool.max_core_instance_size(1 << 20).table_elements(10_000);
        let mut config = wasmtime::Config::new();
        config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let module = Module::from_file(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        // Its `main` does nothing and calls none of them.
        linker.define_unknown_imports_as_traps(&module)?;
        Ok(Threads(linker.instantiate_pre(&module)?))
    }

    /// Nanoseconds from spawn to join, each of so many.
    fn run_all(&self, count: u32) -> anyhow::Result<f64> {
        let began = Instant::now();
        for _ in 0..count.div_ceil(Threads::ALIVE) {
            let threads: Vec<_> = (0..Threads::ALIVE)
                .map(|_| {
                    let instance = self.0.clone();
                    std::thread::Builder::new().stack_size(256 << 10).spawn(move || -> wasmtime::Result<()> {
                        let mut store = Store::new(instance.module().engine(), ());
                        let instance = instance.instantiate(&mut store)?;
                        instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
                    })
                })
                .collect::<Result<_, _>>()?;
            for thread in threads {
                thread.join().map_err(|_| anyhow::anyhow!("the reference panicked"))?.map_err(told)?;
            }
        }
        let count = count.next_multiple_of(Threads::ALIVE);
        Ok(began.elapsed().as_nanos() as f64 / f64::from(count))
    }
}
