//! Isolates that are ready to be called once each.
//!
//! An isolate that was called is thrown away: the next question goes to one that never saw any, whatever the last one did
//! to its memory. How many of the pool's isolates live is counted from spawn to death, not to the kill, so that one which
//! is being killed still has its place.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use insula_wire::Priority;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::{CallError, Service};
use crate::error::SpawnError;
use crate::host::Host;
use crate::isolate::Module;
use crate::spawn::Spawn;
use crate::sync::{Arc, Mutex};
use crate::until;
use crate::world::{Nanos, World};

/// How many isolates a pool has.
///
/// ```
/// let size = insula::PoolSize::default();
/// assert_eq!((size.ready, size.max), (2, 16));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSize {
    /// So many wait for their call, where there is room for them.
    pub ready: usize,
    /// So many live at most, those that are called and those that wait.
    pub max: usize,
}

impl Default for PoolSize {
    fn default() -> PoolSize {
        PoolSize { ready: 2, max: 16 }
    }
}

/// Isolates of one module that serve, each for one call, or for as long as it is checked out.
///
/// Each check-out takes an isolate that is ready, or spawns one, and spawns what is missing of those that are to be ready.
/// Where as many live as may, it waits. A deadline of the isolates' [`Limits`](crate::Limits) begins at their birth, while
/// they wait in the pool: the time of a call is what bounds a call, since whoever is late is killed. The pool keeps its
/// host open; dropped, it kills who is not checked out.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{Host, PoolSize, Spawn};
/// let host = Host::builder().build()?;
/// let module = host.load_file("plugin.wasm")?; // a guest with `export_service!(score as "score")`
/// let pool = host.service_pool::<String, u64>(&module, Spawn::entry("score"), PoolSize::default())?;
/// let score = pool.call(&"some text".to_owned(), Duration::from_millis(100))?; // and that isolate is gone
/// println!("{score}");
/// # Ok(())
/// # }
/// ```
pub struct ServicePool<Q, A> {
    host: Host,
    module: Module,
    spawn: Spawn,
    size: PoolSize,
    ready: Mutex<VecDeque<Service<Q, A>>>,
    places: Arc<Places>,
}

/// An isolate of a pool, for whoever has this value: a [`Service`], to be called any number of times. It is killed when
/// this is dropped.
///
/// ```no_run
/// # fn score(pool: &insula::ServicePool<String, u64>) -> Result<u64, insula::CallError> {
/// use std::time::Duration;
/// let plugin = pool.check_out(Duration::from_secs(1))?;
/// plugin.tell(&"prepare".to_owned(), Duration::from_secs(1))?;
/// plugin.call(&"some text".to_owned(), Duration::from_secs(1))
/// # }
/// ```
#[derive(Debug)]
pub struct CheckedOut<Q, A>(Service<Q, A>);

impl Host {
    /// A pool of isolates that serve, with the ready ones spawned. A blob in the message of `spawn` is there for the first
    /// of them only.
    ///
    /// # Errors
    /// As [`Host::open`], where the first isolate is refused.
    pub fn service_pool<Q: 'static, A: 'static>(
        &self,
        module: &Module,
        spawn: Spawn,
        size: PoolSize,
    ) -> Result<ServicePool<Q, A>, SpawnError> {
        let size = PoolSize { ready: size.ready.min(size.max.max(1)), max: size.max.max(1) };
        let places = Arc::new(Places { max: size.max, state: Mutex::default() });
        let (host, module) = (self.clone(), module.clone());
        let pool = ServicePool { host, module, spawn, size, ready: Mutex::default(), places };
        if pool.size.ready > 0 && pool.places.take() {
            pool.make_ready()?;
        }
        pool.refill();
        Ok(pool)
    }
}

impl<Q: 'static, A: 'static> ServicePool<Q, A> {
    /// How many isolates wait for their call.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.lock().iter().filter(|service| service.isolate().exit().is_none()).count()
    }

    /// An isolate that nobody called yet. Blocks the calling thread while as many live as may, `timeout` at most.
    ///
    /// # Errors
    /// [`CallError::TimedOut`]; [`CallError::Unborn`] where there is none and none can be spawned.
    pub fn check_out(&self, timeout: Duration) -> Result<CheckedOut<Q, A>, CallError> {
        let ends = self.world().after(timeout);
        self.check_out_until(ends)
    }

    /// As [`ServicePool::check_out`], as a future. Dropped before it is done, it has taken none.
    ///
    /// # Errors
    /// As there.
    pub async fn check_out_async(&self, timeout: Duration) -> Result<CheckedOut<Q, A>, CallError> {
        let ends = self.world().after(timeout);
        until::within(self.world(), ends, self.one()).await.unwrap_or(Err(CallError::TimedOut))
    }

    fn check_out_until(&self, ends: Nanos) -> Result<CheckedOut<Q, A>, CallError> {
        until::block(self.world(), ends, self.one()).unwrap_or(Err(CallError::TimedOut))
    }

    fn world(&self) -> &Arc<World> {
        &self.host.inner().links().world
    }

    async fn one(&self) -> Result<CheckedOut<Q, A>, CallError> {
        let mut waiting = Waiting { places: &self.places, waker: None };
        let found = poll_fn(|cx| {
            waiting.with(cx.waker());
            match self.next_ready() {
                Some(service) => Poll::Ready(Some(service)),
                None if self.places.take() => Poll::Ready(None),
                None => Poll::Pending,
            }
        });
        let service = match found.await {
            Some(service) => service,
            None => self.spawn().map_err(CallError::Unborn)?,
        };
        self.refill();
        Ok(CheckedOut(service))
    }

    /// One that is ready and lives.
    fn next_ready(&self) -> Option<Service<Q, A>> {
        let mut ready = self.ready.lock();
        let live = ready.iter().position(|service| service.isolate().exit().is_none()).unwrap_or(ready.len());
        let dead: Vec<_> = ready.drain(..live).collect();
        let next = ready.pop_front();
        drop(ready);
        drop(dead);
        next
    }

    /// Spawns what is missing of those that are to be ready, as far as there is room. What goes wrong here is an error of
    /// the check-out that finds nobody ready.
    fn refill(&self) {
        while self.ready.lock().len() < self.size.ready && self.places.take() && self.make_ready().is_ok() {}
    }

    /// Spawns one to be ready, in a place that was taken for it. Who waits is told: the place was one that he waited for.
    fn make_ready(&self) -> Result<(), SpawnError> {
        let service = self.spawn()?;
        self.ready.lock().push_back(service);
        self.places.tell();
        Ok(())
    }

    /// Spawns one in a place that was taken for it, which it has until it is dead.
    fn spawn(&self) -> Result<Service<Q, A>, SpawnError> {
        let spawned = self.host.open(&self.module, self.spawn.clone()).inspect_err(|_| self.places.give_back())?;
        let death = Waker::from(Arc::new(Death(Arc::clone(&self.places))));
        if spawned.isolate().control().poll_exit(&death).is_some() {
            death.wake();
        }
        Ok(spawned)
    }
}

impl<Q: Serialize + 'static, A: DeserializeOwned + 'static> ServicePool<Q, A> {
    /// Calls an isolate that nobody called before and nobody will call again: it is killed when this returns.
    ///
    /// # Errors
    /// As [`ServicePool::check_out`] and [`Service::call`], which share the time.
    pub fn call(&self, question: &Q, timeout: Duration) -> Result<A, CallError> {
        let ends = self.world().after(timeout);
        let service = self.check_out_until(ends)?;
        service.call(question, Duration::from_nanos(ends.saturating_sub(self.world().now())))
    }

    /// As [`ServicePool::call`], as a future. Dropped, it kills the isolate.
    ///
    /// # Errors
    /// As there.
    pub async fn call_async(&self, question: &Q, timeout: Duration) -> Result<A, CallError> {
        let ends = self.world().after(timeout);
        let service = self.check_out_async(timeout).await?;
        service.call_async(question, Duration::from_nanos(ends.saturating_sub(self.world().now()))).await
    }
}

impl<Q, A> Deref for CheckedOut<Q, A> {
    type Target = Service<Q, A>;

    fn deref(&self) -> &Service<Q, A> {
        &self.0
    }
}

impl<Q, A> Drop for CheckedOut<Q, A> {
    fn drop(&mut self) {
        self.0.isolate().kill(Priority::Immediate);
    }
}

impl<Q, A> Drop for ServicePool<Q, A> {
    fn drop(&mut self) {
        let ready = std::mem::take(&mut *self.ready.lock());
        ready.iter().for_each(|service| service.isolate().kill(Priority::Immediate));
    }
}

/// How many of a pool's isolates live, and who waits for one of them to die.
struct Places {
    max: usize,
    state: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    places: usize,
    waiting: Vec<Waker>,
}

impl Places {
    /// Takes a place, if there is one.
    fn take(&self) -> bool {
        let mut taken = self.state.lock();
        let free = taken.places < self.max;
        taken.places += usize::from(free);
        free
    }

    fn give_back(&self) {
        self.state.lock().places -= 1;
        self.tell();
    }

    /// Whoever waits looks again.
    fn tell(&self) {
        let waiting = std::mem::take(&mut self.state.lock().waiting);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Gives a place back when its isolate is dead.
struct Death(Arc<Places>);

impl Wake for Death {
    fn wake(self: Arc<Self>) {
        self.0.give_back();
    }
}

/// Who waits for a place: forgotten when that is over.
struct Waiting<'a> {
    places: &'a Places,
    waker: Option<Waker>,
}

impl Waiting<'_> {
    /// Stands in line before the look, so that what happens after it is not missed.
    fn with(&mut self, waker: &Waker) {
        self.leave();
        self.waker = Some(waker.clone());
        self.places.state.lock().waiting.push(waker.clone());
    }

    fn leave(&mut self) {
        let Some(waker) = self.waker.take() else { return };
        let mut taken = self.places.state.lock();
        let (goes, stays): (Vec<_>, Vec<_>) =
            std::mem::take(&mut taken.waiting).into_iter().partition(|other| other.will_wake(&waker));
        taken.waiting = stays;
        drop(taken);
        drop(goes);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<Q, A> fmt::Debug for ServicePool<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServicePool").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;

    use super::*;
    use crate::sync::atomic::{AtomicBool, Ordering};

    #[derive(Default)]
    struct Bell(AtomicBool);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_is_told_of_one_that_another_check_out_made_ready() {
        let host = Host::builder().isolates(4).build().unwrap();
        let module = host.load("deaf", b"(module (func (export \"run\") (loop (br 0))))").unwrap();
        let size = PoolSize { ready: 0, max: 1 };
        let pool = host.service_pool::<u32, u32>(&module, Spawn::entry("run"), size).unwrap();
        assert!(pool.places.take(), "another check-out is about to make one ready");
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut waits = pin!(pool.one());
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        pool.make_ready().unwrap();
        assert!(bell.0.load(Ordering::SeqCst));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }
}
