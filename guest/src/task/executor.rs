//! The tasks of an isolate, and which of them are ready.
//!
//! A task lies at a place of a list, and its [`Wakeup`], which is what wakers share, knows that place. A wake-up puts it
//! into the ready queue, at most once. No task is polled or dropped with the state borrowed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};

use super::receiving;
use crate::event_loop::{self, Left, Tasks};

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// What wakers of a task share. Atomics, since a waker may go anywhere, though an isolate has one thread only.
pub(super) struct Wakeup {
    place: usize,
    /// Whether it is in the ready queue.
    queued: AtomicBool,
    /// The turn in which the task was polled last.
    turn: AtomicU32,
}

struct Task {
    wakeup: Arc<Wakeup>,
    /// Not here while it is polled.
    future: Option<Boxed>,
}

struct Executor {
    tasks: Vec<Option<Task>>,
    free: Vec<usize>,
    turn: u32,
}

thread_local! {
    static EXECUTOR: RefCell<Executor> =
        const { RefCell::new(Executor { tasks: Vec::new(), free: Vec::new(), turn: 0 }) };
    static READY: RefCell<VecDeque<Arc<Wakeup>>> = const { RefCell::new(VecDeque::new()) };
}

static TASKS: Tasks = Tasks {
    run: || run_ready(None),
    hold: receiving::hold,
    held: receiving::held,
    closed: receiving::closed,
    look: receiving::look,
    go_on: receiving::go_on,
};

/// The future that the event loop runs for, which lies on the stack of who called.
struct Root<'a> {
    wakeup: Arc<Wakeup>,
    poll: &'a mut dyn FnMut(&mut Context<'_>) -> bool,
}

impl Wakeup {
    fn ready_at(place: usize) -> Arc<Wakeup> {
        let wakeup = Arc::new(Wakeup { place, queued: AtomicBool::new(false), turn: AtomicU32::new(0) });
        wakeup.wake_by_ref();
        wakeup
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Wakeup>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Wakeup>) {
        if !self.queued.swap(true, Relaxed) {
            READY.with_borrow_mut(|ready| ready.push_back(Arc::clone(self)));
        }
    }
}

/// Turns until `poll` says that its future is done, or nothing more can happen.
pub(super) fn run_until(poll: &mut dyn FnMut(&mut Context<'_>) -> bool) {
    event_loop::set_tasks(&TASKS);
    let mut root = Root { wakeup: Wakeup::ready_at(usize::MAX), poll };
    event_loop::turns(&mut || run_ready(Some(&mut root)));
}

/// A new task, which is ready.
pub(super) fn spawn(future: Boxed) -> Arc<Wakeup> {
    event_loop::set_tasks(&TASKS);
    EXECUTOR.with_borrow_mut(|state| {
        let place = state.free.pop().unwrap_or_else(|| {
            state.tasks.push(None);
            state.tasks.len() - 1
        });
        let wakeup = Wakeup::ready_at(place);
        state.tasks[place] = Some(Task { wakeup: Arc::clone(&wakeup), future: Some(future) });
        wakeup
    })
}

/// Takes a task out, if it is there still, and drops its future.
pub(super) fn remove(wakeup: &Arc<Wakeup>) {
    let removed = EXECUTOR.with_borrow_mut(|state| {
        let task = state.task(wakeup).is_some().then(|| state.tasks[wakeup.place].take());
        state.free.extend(task.is_some().then_some(wakeup.place));
        task
    });
    drop(removed); // what the future owns may come back here as it goes
}

/// Polls each task that is ready, also those that become ready meanwhile, but none of them twice.
fn run_ready(mut root: Option<&mut Root<'_>>) -> Left {
    let turn = EXECUTOR.with_borrow_mut(|state| {
        state.turn = state.turn.wrapping_add(1);
        state.turn
    });
    let mut next_turn = VecDeque::new();
    let mut done = false;
    while !done && let Some(wakeup) = READY.with_borrow_mut(VecDeque::pop_front) {
        if wakeup.turn.swap(turn, Relaxed) == turn {
            next_turn.push_back(wakeup);
            continue;
        }
        wakeup.queued.store(false, Relaxed);
        match &mut root {
            Some(root) if Arc::ptr_eq(&root.wakeup, &wakeup) => {
                done = (root.poll)(&mut Context::from_waker(&wakeup.into()))
            }
            _ => poll(&wakeup),
        }
    }
    READY.with_borrow_mut(|ready| ready.append(&mut next_turn));
    let listens = receiving::listen_where_awaited();
    Left {
        done,
        ready: READY.with_borrow(|ready| !ready.is_empty()),
        unfinished: root.is_some() || EXECUTOR.with_borrow(|state| state.tasks.len() > state.free.len()),
        listens,
    }
}

fn poll(wakeup: &Arc<Wakeup>) {
    let future = EXECUTOR.with_borrow_mut(|state| state.task(wakeup)?.future.take());
    let Some(mut future) = future else { return };
    let waker = Waker::from(Arc::clone(wakeup));
    if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
        remove(wakeup);
        return;
    }
    let aborted = EXECUTOR.with_borrow_mut(|state| match state.task(wakeup) {
        Some(task) => task.future.replace(future),
        None => Some(future),
    });
    drop(aborted);
}

impl Executor {
    /// The task of this wake-up, unless it is gone: another may be in its place.
    fn task(&mut self, wakeup: &Arc<Wakeup>) -> Option<&mut Task> {
        let task = self.tasks.get_mut(wakeup.place)?.as_mut();
        task.filter(|task| Arc::ptr_eq(&task.wakeup, wakeup))
    }
}
