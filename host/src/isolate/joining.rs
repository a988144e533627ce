//! Waiting for the end of isolates, and bringing it about with grace.
//!
//! All of it waits in futures; the methods that block poll one of them on the calling thread. Nobody is waited for by
//! looking again and again: the death step wakes whoever waits, and the host's clock whoever gave a time.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use insula_wire::Priority;

use super::Isolate;
use crate::control::Control;
use crate::exit::{Exit, IsolateId};
use crate::sync::Arc;
use crate::until;
use crate::world::{NEVER, Nanos, World};

impl Isolate {
    /// Blocks the calling thread until it ended. Any number of callers may ask; all get the same.
    #[must_use]
    pub fn join(&self) -> Exit {
        until::block_on(&self.links().world, ended(self.control()))
    }

    /// As [`Isolate::join`], for so long at most: `None` where it still lives then.
    #[must_use]
    pub fn join_timeout(&self, timeout: Duration) -> Option<Exit> {
        until::block_on(&self.links().world, self.ended_within(timeout))
    }

    /// As [`Isolate::join`], as a future. Dropping it loses nothing.
    pub async fn ended(&self) -> Exit {
        until::within(&self.links().world, NEVER, ended(self.control())).await.unwrap_or(Exit::HostClosed)
    }

    /// As [`Isolate::join_timeout`], as a future. Dropping it loses nothing.
    pub async fn ended_within(&self, timeout: Duration) -> Option<Exit> {
        let world = &self.links().world;
        ended_by(self.control(), world, world.after(timeout)).await
    }

    /// Calls this once, with how it ended, when it did: at once where it is dead already.
    ///
    /// It is called on a thread of the host's own, one such call after another, and after the
    /// [uncaught errors](crate::HostBuilder::on_uncaught) before it: so it may call anything of this library, and holds up
    /// the next one for as long as it takes. Whoever shuts the host down waits for it.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use insula::{Exit, Host, Spawn};
    /// let host = Host::builder().isolates(1).build()?;
    /// let module = host.load("empty", b"(module (func (export \"run\")))")?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// host.spawn(&module, Spawn::entry("run"))?.on_end(move |exit| drop(sender.send(exit.clone())));
    /// assert_eq!(receiver.recv()?, Exit::Returned);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_end(&self, told: impl FnOnce(&Exit) + Send + 'static) {
        let links = Arc::clone(self.links());
        self.control().on_end(Box::new(move |exit| {
            let exit = exit.clone();
            (links.aside)(Box::new(move || told(&exit)));
        }));
    }

    /// [Asks it to end](Isolate::request_stop), waits for `grace`, and kills it where it lives still. Says how it ended;
    /// `None` where it lives and this handle cannot kill it.
    ///
    /// Blocks the calling thread. Who is killed is dead at once, but for the code of a
    /// [trusted](crate::Host::load_trusted) module that comes to no wait: that is waited for, as by [`Isolate::join`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use insula::{Exit, Host, Spawn};
    /// let host = Host::builder().isolates(1).build()?;
    /// let module = host.load("deaf", b"(module (func (export \"run\") (loop (br 0))))")?;
    /// let isolate = host.spawn(&module, Spawn::entry("run"))?;
    /// assert_eq!(isolate.clone().without_terminate().stop(Duration::ZERO), None);
    /// assert!(matches!(isolate.stop(Duration::from_millis(10)), Some(Exit::Killed { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self, grace: Duration) -> Option<Exit> {
        until::block_on(&self.links().world, self.stop_async(grace))
    }

    /// As [`Isolate::stop`], as a future. Where it is dropped the isolate was asked, and is not killed.
    pub async fn stop_async(&self, grace: Duration) -> Option<Exit> {
        if !self.may_terminate() {
            return self.exit();
        }
        self.request_stop();
        if let Some(exit) = self.ended_within(grace).await {
            return Some(exit);
        }
        self.kill(Priority::Immediate);
        Some(self.ended().await)
    }

    /// As [`Isolate::stop`], of it and all its descendants, also when it is dead itself: all are asked, those too that are
    /// born meanwhile, and [killed together](Isolate::kill_tree) after `grace`. Says who ended, and how, in the order of
    /// their births; nobody where this handle cannot kill.
    pub fn stop_tree(&self, grace: Duration) -> Vec<(IsolateId, Exit)> {
        until::block_on(&self.links().world, self.stop_tree_async(grace))
    }

    /// As [`Isolate::stop_tree`], as a future. Where it is dropped they were asked, and are not killed.
    pub async fn stop_tree_async(&self, grace: Duration) -> Vec<(IsolateId, Exit)> {
        let world = Arc::clone(&self.links().world);
        let (mut tree, mut ends) = (BTreeMap::new(), world.after(grace));
        loop {
            let living = if self.may_terminate() { self.living_tree() } else { Vec::new() };
            if living.is_empty() {
                break;
            }
            living.iter().for_each(|control| control.request_stop());
            tree.extend(living.iter().map(|control| (control.id, Arc::clone(control))));
            for control in &living {
                if ended_by(control, &world, ends).await.is_none() {
                    self.kill_tree();
                    ends = NEVER;
                    break;
                }
            }
        }
        let mut ended = Vec::new();
        for (id, control) in tree {
            ended.extend(ended_by(&control, &world, NEVER).await.map(|exit| (id, exit)));
        }
        ended
    }

    /// It, if it lives, and its descendants that do.
    fn living_tree(&self) -> Vec<Arc<Control>> {
        let registry = &self.links().registry;
        registry.find(self.id()).into_iter().chain(registry.descendants(self.id())).collect()
    }
}

/// How an isolate ended, when it has. Dropping it loses nothing.
pub(crate) async fn ended(control: &Control) -> Exit {
    let mut joining = Joining::of(control);
    poll_fn(|cx| joining.poll(cx)).await
}

/// How an isolate ended, if it does by then.
async fn ended_by(control: &Control, world: &Arc<World>, ends: Nanos) -> Option<Exit> {
    until::within(world, ends, ended(control)).await
}

/// Who waits for an end, known to the isolate by its waker until it waits no more.
struct Joining<'a> {
    control: &'a Control,
    waker: Option<Waker>,
}

impl Joining<'_> {
    fn of(control: &Control) -> Joining<'_> {
        Joining { control, waker: None }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Exit> {
        if let Some(exit) = self.control.poll_exit(cx.waker()) {
            self.waker = None; // the dead know nobody any more
            return Poll::Ready(exit);
        }
        let known = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !known && let Some(waker) = self.waker.replace(cx.waker().clone()) {
            self.control.stop_joining(&waker);
        }
        Poll::Pending
    }
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        if let Some(waker) = self.waker.take() {
            self.control.stop_joining(&waker);
        }
    }
}
