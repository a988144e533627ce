//! Tasks: futures that the event loop polls, so that one isolate waits for many things at once.
//!
//! There are no threads here: tasks of an isolate take turns. A turn is one message or one timer, then each task that
//! became ready is polled, once; one that always is ready holds up neither messages nor timers, and a pause holds tasks
//! as it holds all else. Blocking calls ([`recv`](crate::ReceivePort::recv), [`sleep`](crate::sleep)) may be made in a
//! task, and block all of the isolate. Tasks run within [`run`], and in the event loop after the entry or
//! `main` returned; an unfinished task keeps its isolate alive, as long as there is something that can wake it
//! (semantics 5.3).
//!
//! ```no_run
//! use std::time::Duration;
//! use insula_guest::{ReceivePort, SendPort, task};
//!
//! fn worker(main_port: SendPort<SendPort<String>>) -> Result<(), insula_guest::SendError> {
//!     let lines = ReceivePort::<String>::new();
//!     main_port.send(lines.send_port())?;
//!     task::spawn(async move {
//!         let mut lines = lines.into_stream();
//!         while let Ok(Some(line)) = task::timeout(Duration::from_secs(1), lines.next()).await {
//!             println!("{line}");
//!         }
//!     });
//!     Ok(()) // the task goes on
//! }
//! ```

mod executor;
mod receiving;
mod timing;

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::event_loop;
use crate::outcome::Outcome;
use crate::receive_port::Either;
use crate::report;

use executor::Wakeup;

pub(crate) use receiving::Receiving;
pub use timing::{sleep, timeout};

/// Runs a future to its end on the event loop, and returns its output.
///
/// Listeners, timers and other tasks get their turns meanwhile; those that are left go on in the event loop after the
/// entry or `main` returned. What the future borrows may be a local.
///
/// ```no_run
/// use insula_guest::{ReceivePort, RecvError};
///
/// let port = ReceivePort::<u32>::new();
/// let sum: Result<u32, RecvError> = insula_guest::run(async { Ok(port.recv_async().await? + port.recv_async().await?) });
/// ```
///
/// # Panics
/// In a task, listener or timer, where the event loop runs already: await the future there, or [`spawn`] it.
/// And where the future waits for what can never come, since no task is ready, no timer is set, and nobody can send to
/// a port that is waited for.
#[track_caller]
pub fn run<F: IntoFuture>(future: F) -> F::Output {
    refuse_nested();
    let mut future = pin!(future.into_future());
    let mut output = None;
    executor::run_until(&mut |context| match future.as_mut().poll(context) {
        Poll::Ready(value) => {
            output = Some(value);
            true
        }
        Poll::Pending => false,
    });
    match output {
        Some(output) => output,
        None => never_comes(),
    }
}

#[track_caller]
fn refuse_nested() {
    assert!(
        !event_loop::is_running(),
        "insula_guest::run is called in a task, a listener or a timer, where the event loop runs already: await the future, \
         or spawn a task"
    );
}

#[cold]
#[track_caller]
fn never_comes() -> ! {
    panic!(
        "insula_guest::run: the future waits for what can never come: no task is ready, no timer is set, and nobody can send \
         to a port that is waited for"
    )
}

/// A new task, whose output is what an entry may return; see [`Outcome`].
///
/// Its first turn comes after the one that runs. Awaiting what this returns gives the output. Where nobody does, since
/// it was dropped, an error of the task is an uncaught error of this isolate, as a listener's (semantics 4.6).
///
/// ```no_run
/// use insula_guest::{SendError, SendPort, task};
///
/// # fn tell(port: SendPort<String>) {
/// task::spawn(async move {
///     task::sleep(std::time::Duration::from_millis(5)).await;
///     port.send("five milliseconds".to_owned())
/// });
/// # }
/// ```
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: IntoFuture,
    F::IntoFuture: 'static,
    F::Output: Outcome + 'static,
{
    start(future.into_future(), |output| {
        if let Err(error) = output.outcome() {
            report::uncaught(&error);
        }
    })
}

/// A new task, whose output is any value: one that somebody is to await, and that is lost where nobody does.
///
/// ```no_run
/// # use insula_guest::{ReceivePort, task};
/// # async fn both(first: ReceivePort<u32>, second: ReceivePort<u32>) -> Result<u32, insula_guest::RecvError> {
/// let first = task::compute(async move { first.recv_async().await });
/// Ok(second.recv_async().await? + first.await?)
/// # }
/// ```
pub fn compute<F>(future: F) -> Task<F::Output>
where
    F: IntoFuture,
    F::IntoFuture: 'static,
    F::Output: 'static,
{
    start(future.into_future(), drop)
}

fn start<F>(future: F, unread: fn(F::Output)) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let end = Rc::new(RefCell::new(End::Awaited(None)));
    let ends = Rc::clone(&end);
    let wakeup = executor::spawn(Box::pin(async move {
        let output = future.await;
        let before = ends.replace(End::Dropped);
        match before {
            End::Dropped => unread(output),
            End::Awaited(waker) => {
                ends.replace(End::Done(output));
                waker.inspect(Waker::wake_by_ref);
            }
            End::Done(_) => unreachable!("a task ends once"),
        }
    }));
    Task { end, wakeup, unread }
}

/// A task that was spawned. It is a future: of the task's output.
///
/// Dropping this value lets the task go on. What this has no use for is [`abort`](Task::abort)ed.
///
/// ```no_run
/// use insula_guest::task::{self, Task};
///
/// let answer: Task<u32> = task::compute(async { 42 });
/// assert_eq!(insula_guest::run(answer), 42);
/// ```
pub struct Task<T> {
    end: Rc<RefCell<End<T>>>,
    wakeup: Arc<Wakeup>,
    /// What becomes of an output that nobody awaits.
    unread: fn(T),
}

enum End<T> {
    /// To come, and this waits for it.
    Awaited(Option<Waker>),
    Done(T),
    /// Read, or nobody will read it.
    Dropped,
}

impl<T> Task<T> {
    /// Ends the task where it waits: its future is dropped, at once unless it is what runs.
    pub fn abort(self) {
        self.end.replace(End::Dropped);
        executor::remove(&self.wakeup);
    }

    /// Whether the task has its output.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        !matches!(*self.end.borrow(), End::Awaited(_))
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut end = self.end.borrow_mut();
        match std::mem::replace(&mut *end, End::Dropped) {
            End::Done(output) => Poll::Ready(output),
            End::Awaited(_) => {
                *end = End::Awaited(Some(context.waker().clone()));
                Poll::Pending
            }
            End::Dropped => panic!("a task was polled after it gave its output"),
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let End::Done(output) = self.end.replace(End::Dropped) {
            (self.unread)(output);
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("is_finished", &self.is_finished()).finish()
    }
}

/// The output of whichever of two futures is ready first; the other is dropped. The first is looked at first.
///
/// A `&mut` of a future or task gives it here without giving it up.
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::{Either, ReceivePort, task};
///
/// # async fn listen(port: ReceivePort<String>) {
/// match task::select(port.recv_async(), task::sleep(Duration::from_secs(1))).await {
///     Either::First(message) => println!("{message:?}"),
///     Either::Second(()) => println!("nothing for a second"),
/// }
/// # }
/// ```
pub async fn select<A, B>(first: A, second: B) -> Either<A::Output, B::Output>
where
    A: IntoFuture,
    B: IntoFuture,
{
    let (mut first, mut second) = (pin!(first.into_future()), pin!(second.into_future()));
    poll_fn(|context| match first.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Either::First(output)),
        Poll::Pending => second.as_mut().poll(context).map(Either::Second),
    })
    .await
}

/// Ends the turn: messages, timers and other tasks go first.
///
/// ```no_run
/// # async fn work(pieces: Vec<fn()>) {
/// for piece in pieces {
///     piece();
///     insula_guest::task::yield_now().await;
/// }
/// # }
/// ```
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
