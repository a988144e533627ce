//! A process that compiles for a host, as the host sees it.
//!
//! The child is given nothing but pipes: no environment, and standard error that nobody reads. What it writes is loaded
//! as machine code. So its limits hold off what a module makes the compiler do; who can make the compiler write what he
//! likes has won, in a child as much as in the host.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::Refusal;
use super::wire::{self, Answer, Broken, CODE_BYTES_MAX, Request, VERSION};
use super::workshop::{Flight, Order};
use crate::cache::engine_digest;
use crate::error::ChildFailure;

/// A program that compiles modules for a host, one in each process, within limits of its memory and CPU time; see
/// [`HostBuilder::compile_in_child`](crate::HostBuilder::compile_in_child).
///
/// It is named by an absolute path, and has to call [`compile_child`](crate::compile_child); `insula compile-child` is one.
/// It must be built from the same version of insula. Unless said otherwise its address space is 2 GiB and its CPU time
/// 120 s. Its environment is empty.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{CompileChild, Host, LoadError};
/// let child = CompileChild::program("/nowhere/insula").arg("compile-child");
/// let child = child.memory(1 << 30).cpu_time(Duration::from_secs(20));
/// let host = Host::builder().isolates(1).compile_in_child(child).build()?;
/// let error = host.load("empty", b"(module)").unwrap_err();
/// assert!(matches!(&error, LoadError::Child { program, .. } if program.ends_with("insula")), "{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct CompileChild {
    program: PathBuf,
    arguments: Vec<OsString>,
    memory_bytes_max: u64,
    cpu_time_max: Duration,
}

/// A process, and those that it made.
#[derive(Debug)]
pub(super) struct Group(Pid);

impl Group {
    /// Ends all of them. Its leader must not have been waited for.
    pub(super) fn kill(&self) {
        // Who is dead already is what was wanted.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

impl CompileChild {
    /// This program, by its absolute path.
    pub fn program(path: impl Into<PathBuf>) -> CompileChild {
        CompileChild {
            program: path.into(),
            arguments: Vec::new(),
            memory_bytes_max: 2 << 30,
            cpu_time_max: Duration::from_secs(120),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> CompileChild {
        self.arguments.push(argument.into());
        self
    }

    /// Sets the bound of its address space, in bytes (`RLIMIT_AS`). What the program itself is, is within it.
    pub fn memory(mut self, bytes: u64) -> CompileChild {
        self.memory_bytes_max = bytes;
        self
    }

    /// Sets the bound of its CPU time, of all its threads together, in whole seconds, rounded up (`RLIMIT_CPU`).
    pub fn cpu_time(mut self, time: Duration) -> CompileChild {
        self.cpu_time_max = time;
        self
    }

    /// Whether the path means the same wherever this process stands.
    pub(crate) fn is_absolute(&self) -> bool {
        self.program.is_absolute()
    }

    /// The code of a module, from a new child that the flight may kill meanwhile.
    pub(super) fn compile(&self, order: &Order, flight: &Flight) -> Result<Vec<u8>, Refusal> {
        let failed = |failure| Refusal::Child { program: self.program.clone(), failure };
        let mut process =
            self.start().map_err(|error| failed(ChildFailure::NotStarted { reason: error.to_string() }))?;
        flight.in_hands_of(i32::try_from(process.id()).ok().and_then(Pid::from_raw).map(Group));
        let answer = self.ask(&mut process, order, flight);
        let status = process.wait();
        match answer {
            Ok((Answer::Compiled { .. }, code)) => Ok(code),
            Ok((Answer::NotWasm(reason), _)) => Err(Refusal::NotWasm(reason)),
            Ok((Answer::Compile(reason), _)) => Err(Refusal::Compile(reason)),
            Ok((Answer::OtherEngine { version }, _)) => Err(failed(ChildFailure::OtherEngine { version })),
            Ok((Answer::Unbounded(reason), _)) => Err(failed(ChildFailure::NotStarted { reason })),
            Err(Broken::Garbage) => Err(failed(ChildFailure::NoAnswer)),
            Err(Broken::Ended) => Err(failed(self.failure(status.unwrap_or_default()))),
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().current_dir(Path::new("/"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // What it starts itself ends with it.
        command.process_group(0).spawn()
    }

    /// Writes the question and reads the answer, both at once, so that neither waits for the other. The child has no more
    /// to do then, and is ended, which ends the writing too.
    fn ask(&self, process: &mut Child, order: &Order, flight: &Flight) -> Result<(Answer, Vec<u8>), Broken> {
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (mut stdin, stdout) = stdin.zip(stdout).ok_or(Broken::Ended)?;
        let request = self.request(order);
        std::thread::scope(|threads| {
            let writes = move || wire::write(&mut stdin, &request).and_then(|()| stdin.write_all(&order.bytes));
            let writer = std::thread::Builder::new().name("insula-compile".to_owned()).spawn_scoped(threads, writes);
            let answer = writer.map_err(Broken::from).and_then(|_| answer(stdout));
            flight.dismiss();
            answer
        })
    }

    fn request(&self, order: &Order) -> Request {
        Request {
            version: VERSION.to_owned(),
            engine: engine_digest(&order.engine),
            kind: order.trial.kind,
            memory_reservation_bytes: order.trial.shape.memory_reservation_bytes,
            memory_bytes_max: self.memory_bytes_max,
            cpu_seconds_max: self
                .cpu_time_max
                .as_secs()
                .saturating_add(u64::from(self.cpu_time_max.subsec_nanos() > 0)),
            length: order.bytes.len() as u64,
        }
    }

    /// Why a child ended without a whole answer.
    fn failure(&self, status: ExitStatus) -> ChildFailure {
        match status.signal() {
            Some(signal) if signal == Signal::XCPU.as_raw() => ChildFailure::CpuTime { limit: self.cpu_time_max },
            Some(signal) => ChildFailure::Signal { signal, memory_bytes_max: self.memory_bytes_max },
            None => ChildFailure::Ended { code: status.code().unwrap_or_default() },
        }
    }
}

fn answer(mut from: impl Read) -> Result<(Answer, Vec<u8>), Broken> {
    let answer = wire::read::<Answer>(&mut from)?;
    let code = match answer {
        Answer::Compiled { length } if length > CODE_BYTES_MAX => return Err(Broken::Garbage),
        Answer::Compiled { length } => wire::read_bytes(from, length)?,
        _ => Vec::new(),
    };
    Ok((answer, code))
}
