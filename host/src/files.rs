//! Where file operations block: each on a thread of its own for as long as it lasts, so many for one tree of isolates and
//! for a host (semantics 9).
//!
//! An operation that hangs in the kernel, at a pipe that nobody writes to or a mount that is gone, cannot be called off:
//! who is killed there is gone at once, and the thread stays behind. So what an operation takes is given back when it is
//! over and not when its isolate is, and who spawns others to hang in its place finds nothing left. It holds up its own
//! tree and nobody else.
//!
//! wasmtime-wasi does the operations, by [`spawn_blocking`](tokio::task::spawn_blocking) of the runtime that it is polled
//! in, and tells nobody when one is over that nobody waits for any more. Here each is polled in a runtime with a single
//! thread: what is spawned there next runs when the operation is over.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use crate::sync::{Arc, Mutex};

/// Threads of one host.
const HOST_MAX: usize = 512;

/// Threads that are kept while they do nothing.
const KEPT_MAX: usize = 16;

/// A thread ends with its desk, and not before.
const FOR_GOOD: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What the file operations of a host run on.
pub(crate) struct Desks {
    max: usize,
    state: Mutex<State>,
    /// Something was given back, or left behind.
    changed: Notify,
}

#[derive(Default)]
struct State {
    free: Vec<Desk>,
    all: Count,
    closed: bool,
}

/// Operations.
#[derive(Clone, Copy, Default)]
struct Count {
    /// That are not over.
    under_way: usize,
    /// Those of them whose isolate is.
    left_behind: usize,
}

/// Whether there may be one more operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Yes,
    /// Somebody is to be waited for.
    Later,
    /// Only what may never end is.
    No,
}

impl Count {
    fn room(self, max: usize) -> Room {
        match self {
            Count { under_way, .. } if under_way < max => Room::Yes,
            Count { under_way, left_behind } if left_behind < under_way => Room::Later,
            Count { .. } => Room::No,
        }
    }
}

/// A runtime with one thread to block on, and none to run.
struct Desk(Option<Runtime>);

impl Desk {
    fn new() -> io::Result<Desk> {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.max_blocking_threads(1).thread_keep_alive(FOR_GOOD).thread_name("insula-file").build()?;
        let desk = Desk(Some(runtime));
        // Its thread is there from here on: where the system gives none, tokio panics, and would in an operation.
        let begun = catch_unwind(AssertUnwindSafe(|| drop(desk.handle().spawn_blocking(|| ()))));
        begun.map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory)).map(|()| desk)
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there until the desk is dropped").handle()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Another way would wait, and panic where somebody runs.
            runtime.shutdown_background();
        }
    }
}

/// The file operations of an isolate and all its descendants.
pub(crate) struct FileWork {
    desks: Arc<Desks>,
    max: usize,
    /// Under the lock of the desks' state, where both are changed.
    count: Mutex<Count>,
}

/// Why an operation is not begun: as many as may be under way are, each of an isolate that is over, and none may ever end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AllStuck;

impl Desks {
    pub(crate) fn new() -> Arc<Desks> {
        Desks::at_most(HOST_MAX)
    }

    fn at_most(max: usize) -> Arc<Desks> {
        Arc::new(Desks { max, state: Mutex::default(), changed: Notify::new() })
    }

    /// For a tree that has at most so many under way.
    pub(crate) fn of_tree(self: &Arc<Desks>, max: u64) -> Arc<FileWork> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        Arc::new(FileWork { desks: Arc::clone(self), max, count: Mutex::default() })
    }

    /// Operations under way whose isolates are over.
    pub(crate) fn left_behind(&self) -> usize {
        self.state.lock().all.left_behind
    }

    /// Ends the threads that do nothing; each other when it is done.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let free = std::mem::take(&mut state.free);
        drop(state);
        drop(free);
    }
}

impl FileWork {
    /// Polls this until it is done, with a thread for what it has to block on. It waits for one where others have all that
    /// there may be.
    ///
    /// # Errors
    /// [`AllStuck`].
    pub(crate) async fn run<R>(self: &Arc<FileWork>, work: impl Future<Output = R>) -> Result<R, AllStuck> {
        let taken = self.taken().await?;
        // Dropped before the place is, so that an operation which has not begun yet never does.
        let mut work = pin!(work);
        let done = poll_fn(|cx| {
            let _inside = taken.handle().enter();
            work.as_mut().poll(cx)
        });
        let done = done.await;
        taken.over();
        Ok(done)
    }

    async fn taken(self: &Arc<FileWork>) -> Result<Taken, AllStuck> {
        loop {
            let mut changed = pin!(self.desks.changed.notified());
            changed.as_mut().enable();
            match self.take() {
                Ok(taken) => return Ok(taken),
                Err(Room::No) => return Err(AllStuck),
                Err(Room::Later | Room::Yes) => changed.await,
            }
        }
    }

    /// A place, or why there is none.
    fn take(self: &Arc<FileWork>) -> Result<Taken, Room> {
        let mut state = self.desks.state.lock();
        let mut count = self.count.lock();
        for room in [count.room(self.max), state.all.room(self.desks.max)] {
            if room != Room::Yes {
                return Err(room);
            }
        }
        let desk = match state.free.pop() {
            Some(desk) => desk,
            None => Desk::new().map_err(|_| Room::No)?,
        };
        count.under_way += 1;
        state.all.under_way += 1;
        drop(count);
        drop(state);
        Ok(Taken(Some(Place { desk, of: Arc::clone(self) })))
    }
}

/// A desk, and what is counted for it.
struct Place {
    desk: Desk,
    of: Arc<FileWork>,
}

impl Place {
    /// Counts so.
    fn count(&self, change: impl Fn(&mut Count)) {
        let mut state = self.of.desks.state.lock();
        change(&mut self.of.count.lock());
        change(&mut state.all);
        drop(state);
        self.of.desks.changed.notify_waiters();
    }

    /// Gives all of it back.
    fn give_back(self, left_behind: bool) {
        let Place { desk, of } = self;
        let mut state = of.desks.state.lock();
        for count in [&mut *of.count.lock(), &mut state.all] {
            count.under_way -= 1;
            count.left_behind -= usize::from(left_behind);
        }
        let unneeded = if state.closed || state.free.len() >= KEPT_MAX {
            Some(desk)
        } else {
            state.free.push(desk);
            None
        };
        drop(state);
        drop(unneeded);
        of.desks.changed.notify_waiters();
    }
}

/// The place of an operation that somebody waits for. Dropped before that is over, it is given back when it is.
struct Taken(Option<Place>);

impl Taken {
    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is there until it is over").desk.handle()
    }

    fn over(mut self) {
        if let Some(place) = self.0.take() {
            place.give_back(false);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            place.count(|count| count.left_behind += 1);
            let thread = place.desk.handle().clone();
            // There is one thread: this is after what it does now.
            thread.spawn_blocking(move || place.give_back(true));
        }
    }
}

impl fmt::Debug for FileWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { under_way, left_behind } = *self.count.lock();
        f.debug_struct("FileWork").field("under_way", &under_way).field("left_behind", &left_behind).finish()
    }
}

#[cfg(test)]
mod tests;
