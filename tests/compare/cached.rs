//! What wasmtime has for programs that were compiled before: its own cache. It is told beside `insula run`, which has one too.
//!
//! `compare-cached MODULE` compiles the module the first time, and runs it.

use anyhow::Context as _;
use wasmtime::{Cache, Config, Engine, Linker, Module, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};

fn main() -> anyhow::Result<()> {
    let module = std::env::args().nth(1).context("compare-cached MODULE")?;
    run(&module).map_err(|error| anyhow::anyhow!("{error:#}"))
}

fn run(file: &str) -> wasmtime::Result<()> {
    let mut config = Config::new();
    // As insula's own, but for the checks and the pool.
    config.concurrency_support(false).gc_support(false).cache(Some(Cache::from_file(None)?));
    let engine = Engine::new(&config)?;
    let module = Module::from_file(&engine, file)?;
    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |context| context)?;
    let mut store = Store::new(&engine, WasiCtxBuilder::new().inherit_stdio().arg(file).build_p1());
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
}
