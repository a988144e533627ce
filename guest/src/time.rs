//! Time on the host's clock: sleeping, timers, and deadlines as the host counts them.

use std::time::{Duration, Instant};

use crate::event_loop;
use crate::outcome::Outcome;
use crate::sys;

/// The deadline that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

pub(crate) fn now() -> u64 {
    sys::clock_now()
}

pub(crate) fn deadline_in(timeout: Duration) -> u64 {
    now().saturating_add(nanoseconds(timeout))
}

/// Rust's clock and the host's have origins of their own; what is left until then is the same on both.
pub(crate) fn deadline_at(deadline: Instant) -> u64 {
    deadline_in(deadline.saturating_duration_since(Instant::now()))
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

/// Waits for so long. The turn ends here.
///
/// ```no_run
/// insula_guest::sleep(std::time::Duration::from_millis(10));
/// ```
pub fn sleep(duration: Duration) {
    sleep_until(deadline_in(duration));
}

pub(crate) fn sleep_until(at: u64) {
    let _ = sys::clock_sleep(at);
}

/// A function that the event loop calls later, as Dart's `Timer`.
///
/// A timer keeps its isolate alive until it has fired or is cancelled; dropping this value changes nothing. It fires in
/// the event loop, so after the entry returned, each time in a turn of its own, and never while the isolate is paused.
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::Timer;
///
/// Timer::after(Duration::from_millis(5), || println!("once"));
/// let mut left = 3;
/// Timer::every(Duration::from_millis(1), move || {
///     left -= 1;
///     if left > 0 { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) }
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timer(event_loop::TimerId);

impl Timer {
    /// Calls `handler` once, not before so long.
    pub fn after<H, O>(delay: Duration, handler: H) -> Timer
    where
        H: FnOnce() -> O + 'static,
        O: Outcome,
    {
        let mut handler = Some(handler);
        Timer(event_loop::schedule(delay, None, move || match handler.take() {
            Some(handler) => handler().outcome(),
            None => ().outcome(),
        }))
    }

    /// Calls `handler` each `period`, first after one, until cancelled. What an isolate was too late for is skipped.
    pub fn every<H, O>(period: Duration, mut handler: H) -> Timer
    where
        H: FnMut() -> O + 'static,
        O: Outcome,
    {
        Timer(event_loop::schedule(period, Some(period), move || handler().outcome()))
    }

    /// Has it never fire again. A timer may cancel itself.
    pub fn cancel(self) {
        event_loop::cancel(self.0);
    }

    /// Whether it will fire.
    #[must_use]
    pub fn is_active(self) -> bool {
        event_loop::is_scheduled(self.0)
    }
}
