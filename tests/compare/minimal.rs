//! The least that runs a compiled WASI program with wasmtime: what `insula run` is measured beside.
//!
//! `compare-minimal --compile MODULE FILE` compiles, `compare-minimal FILE` runs what it compiled. It checks nothing of what it is given
//! and is nothing to use: whoever can write FILE runs what they like.

use anyhow::Context as _;
use wasmtime::{Config, Engine, Linker, Module, Store};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--compile", module, file] => Ok(std::fs::write(file, compiled(module).map_err(told)?)?),
        [file] => run(file).map_err(told),
        _ => None.context("compare-minimal [--compile MODULE] FILE"),
    }
}

/// As insula's own, but for the checks and the pool.
fn engine() -> wasmtime::Result<Engine> {
    Engine::new(Config::new().concurrency_support(false).gc_support(false))
}

fn compiled(module: &str) -> wasmtime::Result<Vec<u8>> {
    Module::from_file(&engine()?, module)?.serialize()
}

#[allow(
    unsafe_code,
    reason = "insula takes nothing of this kind, and the reference is to take as little time as can be"
)]
fn run(file: &str) -> wasmtime::Result<()> {
    let engine = engine()?;
    // SAFETY: `deserialize_file` asks for what `serialize` made, unchanged while it is used. The bench made it with this
    // program just before, in the target directory, where nobody else writes.
    let module = unsafe { Module::deserialize_file(&engine, file) }?;
    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |context| context)?;
    let mut store = Store::new(&engine, WasiCtxBuilder::new().inherit_stdio().arg(file).build_p1());
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
}

/// wasmtime's errors are no `std` errors.
fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
