//! Threads of a host that tasks run on: made when there is the first of them, since most programs have none.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use super::Inner;
use crate::error::SpawnError;
use crate::sync::Mutex;

/// Threads for what takes a while and asks nothing of anybody: lines of frames, modules that guests ask for.
const BLOCKING_THREADS_MAX: usize = 64;

/// A tokio runtime, from the first task on: one thread for what waits, and some for what blocks.
pub(super) struct Tasks {
    name: &'static str,
    blocking_threads_max: usize,
    handle: OnceLock<Handle>,
    state: Mutex<State>,
}

enum State {
    NotYet,
    Made(Runtime),
    Closed,
}

/// Why no task can be run.
pub(crate) enum NoTasks {
    Closed,
    /// The system gives no thread.
    System(io::Error),
}

impl From<NoTasks> for io::Error {
    fn from(none: NoTasks) -> io::Error {
        match none {
            NoTasks::Closed => io::Error::new(io::ErrorKind::BrokenPipe, "the host is closed"),
            NoTasks::System(error) => error,
        }
    }
}

impl Tasks {
    /// The host's own.
    pub(super) fn new() -> Tasks {
        Tasks::on("insula-io", BLOCKING_THREADS_MAX)
    }

    /// Tasks on threads of this name.
    pub(super) fn on(name: &'static str, blocking_threads_max: usize) -> Tasks {
        Tasks { name, blocking_threads_max, handle: OnceLock::new(), state: Mutex::new(State::NotYet) }
    }

    /// Where tasks are spawned. Once it is closed they are dropped.
    ///
    /// # Errors
    /// Where there was none before it was closed, or the system gives no thread for the first.
    pub(super) fn handle(&self) -> Result<&Handle, NoTasks> {
        if let Some(handle) = self.handle.get() {
            return Ok(handle);
        }
        let mut state = self.state.lock();
        if let State::NotYet = *state {
            *state = State::Made(self.runtime().map_err(NoTasks::System)?);
        }
        match &*state {
            State::Made(runtime) => Ok(self.handle.get_or_init(|| runtime.handle().clone())),
            State::NotYet | State::Closed => Err(NoTasks::Closed),
        }
    }

    /// Drops what waits, and leaves what blocks to its end.
    pub(super) fn close(&self) {
        if let State::Made(runtime) = std::mem::replace(&mut *self.state.lock(), State::Closed) {
            // To drop it would panic where the embedder drops a host within another runtime.
            runtime.shutdown_background();
        }
    }

    /// Where the system gives it no thread, tokio panics.
    fn runtime(&self) -> io::Result<Runtime> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(self.blocking_threads_max).thread_name(self.name).enable_all();
        let no_thread = |_| io::Error::new(io::ErrorKind::OutOfMemory, "the system gives no thread");
        catch_unwind(AssertUnwindSafe(|| builder.build())).map_err(no_thread)?
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    /// Where the host's own tasks run, which never block. Once the host is closed they are dropped.
    ///
    /// # Errors
    /// Where there was none before the host was closed, or the system gives no thread for the first.
    pub(crate) fn tasks(&self) -> Result<&Handle, NoTasks> {
        self.tasks.handle()
    }

    /// Has a task run there, if any can.
    pub(crate) fn run_task(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(tasks) = self.tasks() {
            tasks.spawn(task);
        }
    }

    /// Why nothing can be spawned that needs a task.
    pub(crate) fn not_without(&self, tasks: NoTasks) -> SpawnError {
        match tasks {
            NoTasks::Closed => SpawnError::HostClosed,
            NoTasks::System(error) => SpawnError::NoRoom { max: self.isolates_max, reason: error.to_string() },
        }
    }
}
