//! Waits with an end for what is written as a future: on the calling thread, or on any executor.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::receive::thread_waker;
use crate::sync::Arc;
use crate::world::{NEVER, Nanos, Timer, World};

/// Blocks the calling thread until the future is done. None when the time is up first.
pub(super) fn block<T>(world: &World, ends: Nanos, future: impl Future<Output = T>) -> Option<T> {
    let (woken, waker) = thread_waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(done);
        }
        let left = Duration::from_nanos(ends.saturating_sub(world.now()));
        if left.is_zero() {
            return None;
        }
        // The waker holds the other end, so a wait without an end ends by being woken.
        let _ = if ends == NEVER { woken.recv().ok() } else { woken.recv_timeout(left).ok() };
    }
}

/// What the future gives. None when the time is up first; then it is dropped.
pub(super) async fn within<T>(world: &Arc<World>, ends: Nanos, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut alarm: Option<(Waker, Timer)> = None;
    poll_fn(|cx| {
        if let Poll::Ready(done) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        if world.now() >= ends {
            return Poll::Ready(None);
        }
        if ends != NEVER && !alarm.as_ref().is_some_and(|(waker, _)| waker.will_wake(cx.waker())) {
            alarm = Some((cx.waker().clone(), world.timer(ends, cx.waker().clone())));
        }
        Poll::Pending
    })
    .await
}
