//! Waits with an end for what is written as a future: on the calling thread, or on any executor.

#[cfg(feature = "testing")]
mod staged;
#[cfg(feature = "testing")]
pub(crate) use staged::{counted, look_until, serving, while_time_passes, working};

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use crate::sync::{Arc, Mutex};
use crate::world::{NEVER, Nanos, Timer, World};

/// Blocks the calling thread until the future is done. It is unparked, the cheapest way to be woken.
pub(crate) fn block_on<T>(world: &Arc<World>, future: impl Future<Output = T>) -> T {
    #[cfg(feature = "testing")]
    if world.stage().is_some() {
        return block(world, NEVER, future).expect("what has no end does not end before it is done");
    }
    let _ = world;
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// As [`block_on`], where the time may be up first: none then.
pub(crate) fn block<T>(world: &Arc<World>, ends: Nanos, future: impl Future<Output = T>) -> Option<T> {
    let bell = ThreadBell::new();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(bell.waker())) {
            return Some(done);
        }
        if !bell.wait(world, ends) {
            return None;
        }
    }
}

/// A future that counts as at work from when it is woken until it waits again.
#[cfg(not(feature = "testing"))]
pub(crate) fn counted<F: Future>(_: &World, future: F) -> F {
    future
}

/// A thread that counts as at work in this world within this.
#[cfg(not(feature = "testing"))]
pub(crate) fn working<R>(_: &World, within: impl FnOnce() -> R) -> R {
    within()
}

/// What a thread waits at to be woken.
pub(crate) struct ThreadBell {
    woken: Receiver<()>,
    waker: Waker,
}

impl ThreadBell {
    /// Of the calling thread.
    pub(crate) fn new() -> ThreadBell {
        let (woken, waker) = thread_waker();
        ThreadBell { woken, waker }
    }

    /// What rings it.
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Blocks the calling thread until it rings, or the time is up. False where that was so before.
    pub(crate) fn wait(&self, world: &Arc<World>, ends: Nanos) -> bool {
        #[cfg(feature = "testing")]
        if let Some(stage) = world.stage() {
            return self.wait_on(stage, world, ends);
        }
        let left = Duration::from_nanos(ends.saturating_sub(world.now()));
        if left.is_zero() {
            return false;
        }
        // The waker holds the other end, so a wait without an end ends by being woken.
        let _ = if ends == NEVER { self.woken.recv().ok() } else { self.woken.recv_timeout(left).ok() };
        true
    }
}

/// What the future gives. None when the time is up first; then it is dropped.
pub(crate) async fn within<T>(world: &Arc<World>, ends: Nanos, future: impl Future<Output = T>) -> Option<T> {
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
        world.awaited();
        Poll::Pending
    })
    .await
}

/// Wakes the one task that listens, whoever rings.
#[derive(Default)]
pub(crate) struct Bell(Mutex<Option<Waker>>);

impl Bell {
    /// It is this task that is woken from here on. To be called before it looks at what the ringing is about.
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut heard = self.0.lock();
        let known = heard.as_ref().is_some_and(|known| known.will_wake(waker));
        let before = if known { None } else { heard.replace(waker.clone()) };
        drop(heard);
        drop(before);
    }

    /// Wakes it.
    pub(crate) fn ring(&self) {
        let waker = self.0.lock().clone();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// A waker, and where the thread that made it waits to be woken.
pub(crate) fn thread_waker() -> (Receiver<()>, Waker) {
    struct Bell(crossbeam_channel::Sender<()>);
    impl Wake for Bell {
        fn wake(self: std::sync::Arc<Self>) {
            // A full place means that the wake-up is there already.
            let _ = self.0.try_send(());
        }
    }
    let (bell, woken) = bounded(1);
    (woken, Waker::from(std::sync::Arc::new(Bell(bell))))
}
