//! What a child does that compiles for a host: it bounds itself, reads a module, and writes its code, or why there is
//! none.
//!
//! It opens no file, runs no guest and prints nothing. Its limits are in force before it reads a byte of the module.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasmtime::Engine;

use super::wire::{self, Answer, Broken, Request, VERSION, short};
use super::workshop::{panicked, threads};
use super::{Refusal, validate};
use crate::cache::engine_digest;
use crate::engine::compiling_engine;

/// Threads of a child; each needs address space.
const THREADS_MAX: usize = 4;

/// What the program of a [`CompileChild`](crate::CompileChild) is to call first, and whose result it is to end with: reads a
/// module from standard input, compiles it, and writes the code to standard output, in a form that
/// [`HostBuilder::compile_in_child`](crate::HostBuilder::compile_in_child) understands.
///
/// The command `insula compile-child` does nothing else. A program that embeds insula can be its own child; whatever it
/// prints on standard output spoils the answer.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use insula::{CompileChild, Host};
///
/// fn main() -> ExitCode {
///     if std::env::args().nth(1).as_deref() == Some("compile-for-me") {
///         return insula::compile_child();
///     }
///     let this = std::env::current_exe().expect("a program has a path");
///     let child = CompileChild::program(this).arg("compile-for-me");
///     let host = Host::builder().compile_in_child(child).build().expect("there is room for a host");
///     match host.load_file("plugin.wasm") {
///         Ok(plugin) => println!("{}", plugin.name()),
///         Err(error) => println!("{error}"),
///     }
///     ExitCode::SUCCESS
/// }
/// ```
#[must_use]
pub fn compile_child() -> ExitCode {
    match answer(io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "insula: error: this compiles for a host, which asks over a pipe: {error}");
            ExitCode::from(2)
        }
    }
}

/// One request, one answer.
fn answer(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let request = match wire::read::<Request>(&mut from) {
        Ok(request) => request,
        Err(Broken::Ended) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Err(Broken::Garbage) => return Err(io::Error::new(io::ErrorKind::InvalidData, "that is no request")),
    };
    match found(&request, from) {
        Ok(code) => {
            wire::write(&mut to, &Answer::Compiled { length: code.len() as u64 })?;
            to.write_all(&code)?;
        }
        Err(answer) => wire::write(&mut to, &answer)?,
    }
    to.flush()
}

fn found(request: &Request, from: impl Read) -> Result<Vec<u8>, Answer> {
    bound(request).map_err(|error| Answer::Unbounded(error.to_string()))?;
    let other = || Answer::OtherEngine { version: VERSION.to_owned() };
    let engine = compiling_engine(request.kind, request.memory_reservation_bytes).map_err(|_| other())?;
    if request.version != VERSION || request.engine != engine_digest(&engine) {
        return Err(other());
    }
    let module = wire::read_bytes(from, request.length);
    let module = module.map_err(|_| Answer::Compile("the module did not arrive".to_owned()))?;
    let threads = threads(std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX));
    let compiled = threads.and_then(|threads| {
        let compiled = catch_unwind(AssertUnwindSafe(|| threads.install(|| code(&engine, &module))));
        compiled.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
    });
    compiled.map_err(|refusal| match refusal {
        Refusal::NotWasm(reason) => Answer::NotWasm(short(reason)),
        Refusal::Shape(reason) | Refusal::Compile(reason) => Answer::Compile(short(reason)),
        other => Answer::Compile(short(format!("{other:?}"))),
    })
}

fn code(engine: &Engine, module: &[u8]) -> Result<Vec<u8>, Refusal> {
    validate(module)?;
    engine.precompile_module(module).map_err(|error| Refusal::by_wasmtime(&error))
}

/// Limits this process. Nothing of it stays behind a host that is gone, and no dump of its memory.
fn bound(request: &Request) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    limit(Resource::Core, 0, 0)?;
    limit(Resource::As, request.memory_bytes_max, request.memory_bytes_max)?;
    // The system warns by a signal, which ends the process too, and says why.
    limit(Resource::Cpu, request.cpu_seconds_max, request.cpu_seconds_max.saturating_add(1))
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let present = getrlimit(resource);
    let at_most = |limit: u64, bound: Option<u64>| Some(bound.map_or(limit, |bound| bound.min(limit)));
    let maximum = at_most(hard, present.maximum);
    setrlimit(resource, Rlimit { current: at_most(soft, maximum), maximum })?;
    Ok(())
}
