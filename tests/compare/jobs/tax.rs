//! What it costs that code can be preempted anywhere, beside bare wasmtime without epoch checks.

use std::time::Instant;

use insula::{Exit, Host, Output, Spawn};
use wasmtime::{Config, Engine, InstancePre, Linker, Module, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};

use super::spawn::told;
use crate::guest::{Wasm, target_folder};
use crate::measure::{Effort, median};
use crate::table::Row;

/// What is done, and how often: tens of milliseconds each, beside which birth and death are nothing.
const WORKS: [(&str, u32); 4] = [("sieve", 20), ("fib", 8), ("matmul", 8), ("postcard", 8_000)];

/// Turns for each of a job's rounds: a difference of 3 % takes more of them.
const TURNS: usize = 5;

/// Each work in four ways, in turns.
pub(super) fn preemption(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let wasm = wasm.with_file_name("insula-compare-tax.wasm");
    let builder = || anyhow::Ok(Host::builder().threads(2).cache_folder(target_folder()?.join("compare-cache")));
    let (host, counting) = (builder()?.build()?, builder()?.count_fuel(true).build()?);
    let (checked, trusted, counted) =
        (host.load_file(&wasm)?, host.load_trusted_file(&wasm)?, counting.load_file(&wasm)?);
    let bare = Bare::new(&wasm).map_err(told)?;
    let mut rows = Vec::new();
    for (work, count) in WORKS {
        let arguments = ["tax".to_owned(), work.to_owned(), count.to_string()];
        let mut times = [vec![], vec![], vec![], vec![]];
        for _ in 0..TURNS * effort.rounds() {
            times[0].push(run(&host, &checked, &arguments)?);
            times[1].push(run(&host, &trusted, &arguments)?);
            times[2].push(run(&counting, &counted, &arguments)?);
            times[3].push(bare.run(&arguments).map_err(told)?);
        }
        let [checked, trusted, counted, bare] = times.map(median);
        rows.push(Row::told(format!("tax: {work}, as by default"), checked, Some(bare), "ms"));
        rows.push(Row::told(format!("tax: {work}, with fuel counted"), counted, Some(bare), "ms"));
        rows.push(Row::cost(format!("tax: {work}, trusted"), trusted, bare, 0.97, "ms"));
    }
    Ok(rows)
}

/// Milliseconds from spawn to exit.
fn run(host: &Host, module: &insula::Module, arguments: &[String]) -> anyhow::Result<f64> {
    let spawn = Spawn::main().args(arguments).stdout(Output::Null);
    let began = Instant::now();
    let exit = host.spawn(module, spawn)?.join();
    anyhow::ensure!(exit == Exit::Returned, "it ended: {exit}");
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// The reference: the same program in wasmtime, with what decides about its code set as insula sets it.
struct Bare(InstancePre<WasiP1Ctx>);

impl Bare {
    fn new(wasm: &Wasm) -> wasmtime::Result<Bare> {
        let mut config = Config::new();
        config.concurrency_support(false).gc_support(false).wasm_threads(false).shared_memory(false);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_sync(&mut linker, |context| context)?;
        Ok(Bare(linker.instantiate_pre(&Module::from_file(&engine, wasm)?)?))
    }

    /// Milliseconds from instantiation to the end.
    fn run(&self, arguments: &[String]) -> wasmtime::Result<f64> {
        let began = Instant::now();
        let context = WasiCtxBuilder::new().args(arguments).build_p1();
        let mut store = Store::new(self.0.module().engine(), context);
        let instance = self.0.instantiate(&mut store)?;
        instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    }
}
