//! Tasks and time: sleeping, and giving up.

use std::cell::{Cell, RefCell};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::error::TimedOut;
use crate::event_loop::{self, TimerId};
use crate::outcome::Outcome;
use crate::receive_port::Either;

/// Waits for so long, counted from the first poll; other tasks go on meanwhile.
///
/// ```no_run
/// # async fn blink() {
/// insula_guest::task::sleep(std::time::Duration::from_millis(500)).await;
/// # }
/// ```
pub async fn sleep(duration: Duration) {
    let alarm = Rc::new(Alarm { rang: Cell::new(false), waker: RefCell::new(Waker::noop().clone()) });
    let rings = Rc::clone(&alarm);
    let timer = event_loop::schedule(duration, None, move || {
        rings.rang.set(true);
        rings.waker.borrow().wake_by_ref();
        ().outcome()
    });
    Sleep { alarm, timer }.await;
}

struct Sleep {
    alarm: Rc<Alarm>,
    timer: TimerId,
}

struct Alarm {
    rang: Cell<bool>,
    waker: RefCell<Waker>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.alarm.rang.get() {
            return Poll::Ready(());
        }
        self.alarm.waker.borrow_mut().clone_from(context.waker());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if !self.alarm.rang.get() {
            event_loop::cancel(self.timer);
        }
    }
}

/// The output of a future, unless it takes longer than so; then the future is dropped. One that is ready in time for
/// both counts as ready.
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::{Isolate, task};
///
/// # async fn patient() -> Result<(), Box<dyn std::error::Error>> {
/// let sum = Isolate::compute(|n: u64| (1..=n).sum::<u64>(), 1_000_000)?;
/// match task::timeout(Duration::from_millis(100), sum).await {
///     Ok(sum) => println!("{}", sum?),
///     Err(_) => println!("it took too long, and is killed"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`TimedOut`] where it took longer.
pub async fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Result<F::Output, TimedOut> {
    match super::select(future, sleep(duration)).await {
        Either::First(output) => Ok(output),
        Either::Second(()) => Err(TimedOut),
    }
}
