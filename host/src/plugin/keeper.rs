//! Who starts isolates again: one task of the host's own for each plugin or group, which holds no thread while it waits.
//!
//! It looks at everything anew whenever it is woken, by a death, a timer, an order or the host's closing, so that no event
//! can be lost between two looks; and it does one thing after another, so that none has to expect another in between.

use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use insula_wire::Priority;

use super::core::{Core, Life, Orders, Over};
use super::event::PluginEvent;
use super::house::{House, Strategy, tell_ended};
use super::upgrade::{Candidate, Order, Recipe, UpgradeError, drain};
use crate::control::Flags;
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::isolate::Isolate;
use crate::restart::{History, Verdict};
use crate::sync::Arc;
use crate::world::{NEVER, Nanos, Timer, World};

/// The task.
pub(super) struct Keeper {
    house: Arc<House>,
    /// In the order in which they were first started.
    members: Vec<Member>,
    history: History,
    /// When those that are down are started again.
    due: Option<Nanos>,
    timer: Option<Timer>,
}

/// A plugin, as its keeper knows it.
pub(super) struct Member {
    core: Arc<Core>,
    recipe: Recipe,
    /// The one whose end matters, in its birth order after those that were drained.
    isolate: Option<Isolate>,
    born: Nanos,
    last: Exit,
    /// It is to be started again.
    is_down: bool,
    is_left: bool,
    is_stopping: bool,
    kill_at: Nanos,
    candidate: Option<Candidate>,
}

/// What the keeper has to do next, with the place of the member that it is about.
enum Event {
    Joined(Box<Member>),
    StopAll(Duration),
    Died(usize, Exit),
    /// The host closes while it has no isolate.
    Closed(usize),
    Stop(usize, Duration),
    Left(usize),
    Upgrade(usize, Box<Order>),
    Ready(usize),
    NotReady(usize, UpgradeError),
    Due,
    /// Nobody is left to look after.
    Done,
}

impl Member {
    pub(super) fn new(core: &Arc<Core>, recipe: Recipe, first: &Life) -> Member {
        Member {
            core: Arc::clone(core),
            recipe,
            isolate: Some(first.isolate().clone()),
            born: core.links.world.now(),
            last: Exit::HostClosed,
            is_down: false,
            is_left: false,
            is_stopping: false,
            kill_at: NEVER,
            candidate: None,
        }
    }

    /// What there is to do about it; `next` is brought forward to when there will be, if that is known.
    fn look(&mut self, at: usize, now: Nanos, waker: &Waker, next: &mut Nanos) -> Option<Event> {
        match &self.isolate {
            Some(isolate) => {
                if let Some(exit) = isolate.control().poll_exit(waker) {
                    return Some(Event::Died(at, exit));
                }
            }
            None if self.core.links.registry.is_closed() => return Some(Event::Closed(at)),
            None if self.is_stopping => return Some(Event::Stop(at, Duration::ZERO)),
            None => {}
        }
        let Orders { stop, upgrade, left } = self.core.take_orders();
        if let Some(grace) = stop {
            return Some(Event::Stop(at, grace)); // and an upgrade is let go of
        }
        if let Some(order) = upgrade {
            return Some(Event::Upgrade(at, order));
        }
        if left && !self.is_left {
            return Some(Event::Left(at));
        }
        self.hurry(now, next);
        let candidate = self.candidate.as_ref()?;
        *next = candidate.late_at.min(*next);
        candidate.look(now, waker).map(|up| match up {
            Ok(()) => Event::Ready(at),
            Err(error) => Event::NotReady(at, error),
        })
    }

    fn world(&self) -> &Arc<World> {
        &self.core.links.world
    }

    /// It has this isolate from here on.
    fn begin(&mut self, life: &Life) {
        (self.isolate, self.born) = (Some(life.isolate().clone()), self.world().now());
        self.is_down = false;
    }

    /// It has none.
    fn ended(&mut self, exit: Exit) {
        drop(self.core.pause());
        (self.isolate, self.last, self.kill_at) = (None, exit, NEVER);
    }

    /// Ends its isolate within this time. False where there is none.
    fn ask_to_end(&mut self, grace: Duration) -> bool {
        let Some(isolate) = &self.isolate else { return false };
        isolate.request_stop();
        drop(self.core.pause());
        self.kill_at = self.world().after(grace).min(self.kill_at);
        true
    }

    /// Kills its isolate when it is late; `next` is brought forward to when it will be.
    fn hurry(&mut self, now: Nanos, next: &mut Nanos) {
        if now >= self.kill_at {
            self.kill_at = NEVER;
            self.isolate.iter().for_each(|isolate| isolate.kill(Priority::Immediate));
        }
        *next = self.kill_at.min(*next);
    }

    /// Does what a stop asks for while its keeper waits for another one, and tells that it is over; it stays a member
    /// until the keeper looks again.
    fn heed_stop(&mut self, now: Nanos, waker: &Waker, next: &mut Nanos) {
        if let Some(grace) = self.core.will_stop() {
            self.is_stopping = true;
            self.ask_to_end(grace);
        }
        self.hurry(now, next);
        let exit = self.isolate.as_ref().map_or(Some(self.last.clone()), |isolate| isolate.control().poll_exit(waker));
        if let Some(exit) = exit.filter(|_| self.is_stopping && self.core.is_over().is_none()) {
            self.core.end(Over { exit, refused: None });
        }
    }

    /// It came too late.
    pub(super) fn refuse(self) {
        self.isolate.iter().for_each(|isolate| isolate.kill(Priority::Immediate));
        self.end(Over { exit: Exit::HostClosed, refused: None });
    }

    /// It is over.
    fn end(mut self, over: Over) {
        if let Some(candidate) = self.candidate.take() {
            candidate.life.isolate().kill(Priority::Immediate);
        }
        self.core.end(over);
    }
}

impl Candidate {
    /// Whether it is up, or will not be.
    fn look(&self, now: Nanos, waker: &Waker) -> Option<Result<(), UpgradeError>> {
        let isolate = self.life.isolate();
        if let Some(exit) = isolate.control().poll_exit(waker) {
            return Some(Err(UpgradeError::Died(exit)));
        }
        match self.life.poll_requests(waker) {
            Poll::Ready(Ok(_)) => Some(Ok(())),
            Poll::Ready(Err(_)) if !isolate.control().flags.any(Flags::END) => Some(Err(UpgradeError::NotReady)),
            Poll::Ready(Err(_)) | Poll::Pending => (now >= self.late_at).then_some(Err(UpgradeError::NotReady)),
        }
    }
}

impl Keeper {
    pub(super) fn new(house: Arc<House>) -> Keeper {
        Keeper { house, members: Vec::new(), history: History::default(), due: None, timer: None }
    }

    pub(super) fn with(mut self, member: Member) -> Keeper {
        self.members.push(member);
        self
    }

    /// Keeps until nobody is left.
    pub(super) async fn keep(mut self) {
        loop {
            match poll_fn(|cx| self.look(cx.waker()).map_or(Poll::Pending, Poll::Ready)).await {
                Event::Joined(member) => self.members.push(*member),
                Event::StopAll(grace) => self.end_all(None, grace).await,
                Event::Died(at, exit) => self.died(at, exit).await,
                Event::Closed(at) => self.end(at, Over { exit: Exit::HostClosed, refused: None }),
                Event::Stop(at, grace) => self.stop(at, grace),
                Event::Left(at) => self.left(at),
                Event::Upgrade(at, order) => self.upgrade(at, order),
                Event::Ready(at) => self.ready(at),
                Event::NotReady(at, error) => self.not_ready(at, error),
                Event::Due => self.start_again().await,
                Event::Done => break,
            }
        }
    }

    fn look(&mut self, waker: &Waker) -> Option<Event> {
        self.house.bell.listen(waker);
        if let Some(member) = self.house.joined() {
            return Some(Event::Joined(Box::new(member)));
        }
        if let Some(grace) = self.house.is_to_stop() {
            return Some(Event::StopAll(grace));
        }
        let (now, mut next) = (self.house.links.world.now(), NEVER);
        for (at, member) in self.members.iter_mut().enumerate() {
            if let Some(event) = member.look(at, now, waker, &mut next) {
                return Some(event);
            }
        }
        match self.due {
            Some(due) if now >= due => return Some(Event::Due),
            Some(due) => next = next.min(due),
            None => {}
        }
        if self.members.is_empty() && self.house.is_deserted() {
            return Some(Event::Done);
        }
        self.wake_at(next, waker);
        None
    }

    async fn died(&mut self, at: usize, exit: Exit) {
        let now = self.house.links.world.now();
        let member = &mut self.members[at];
        let isolate = member.isolate.as_ref().map(Isolate::id);
        member.ended(exit.clone());
        let ends = member.is_stopping || member.core.is_left() || member.core.links.registry.is_closed();
        let verdict = match exit {
            Exit::HostClosed => Verdict::Over,
            _ if ends => Verdict::Over,
            _ => self.history.died(&self.house.restart, &exit, member.born, now),
        };
        let over = Over { exit: exit.clone(), refused: None };
        match verdict {
            Verdict::Over => self.end(at, over),
            Verdict::GiveUp => self.end_all(Some((at, over)), self.house.restart.grace_time()).await,
            Verdict::Again { after } => {
                member.is_down = true;
                let again_after = Duration::from_nanos(after);
                let event = isolate.map(|isolate| PluginEvent::Died { isolate, exit, again_after });
                event.iter().for_each(|event| member.core.tell(event));
                self.due = self.due.max(Some(now.saturating_add(after)));
                self.put_others_down(at, again_after).await;
            }
        }
    }

    /// Ends those who are started again with the one at this place, the last one first.
    async fn put_others_down(&mut self, at: usize, again_after: Duration) {
        let first = match self.house.strategy {
            Strategy::OneForOne => return,
            Strategy::OneForAll => 0,
            Strategy::RestForOne => at + 1,
        };
        let grace = self.house.restart.grace_time();
        for other in (first..self.members.len()).rev().filter(|other| *other != at) {
            let member = &mut self.members[other];
            if member.is_stopping || member.is_left {
                continue;
            }
            let isolate = member.isolate.as_ref().map(Isolate::id);
            if self.put_down(other, grace).await {
                let member = &mut self.members[other];
                if member.is_stopping {
                    continue; // and is over
                }
                member.is_down = true;
                let exit = member.last.clone();
                let event = isolate.map(|isolate| PluginEvent::Died { isolate, exit, again_after });
                event.iter().for_each(|event| member.core.tell(event));
            }
        }
    }

    /// Ends the isolate of one, for the sake of others. False where there is none. Whoever stops one of them meanwhile, or
    /// all, is heeded at once: a stop takes no longer than it says.
    async fn put_down(&mut self, at: usize, grace: Duration) -> bool {
        if !self.members[at].ask_to_end(grace) {
            return false;
        }
        let exit = poll_fn(|cx| self.poll_down(at, cx.waker()).map_or(Poll::Pending, Poll::Ready)).await;
        self.members[at].ended(exit);
        true
    }

    fn poll_down(&mut self, at: usize, waker: &Waker) -> Option<Exit> {
        self.house.bell.listen(waker);
        let exit = self.members[at].isolate.as_ref().map(|isolate| isolate.control().poll_exit(waker));
        if let Some(exit) = exit.unwrap_or(Some(Exit::HostClosed)) {
            return Some(exit);
        }
        if let Some(grace) = self.house.will_stop() {
            self.members[at].ask_to_end(grace);
        }
        let (now, mut next) = (self.house.links.world.now(), NEVER);
        self.members.iter_mut().for_each(|member| member.heed_stop(now, waker, &mut next));
        self.wake_at(next, waker);
        None
    }

    fn wake_at(&mut self, due: Nanos, waker: &Waker) {
        self.timer = (due != NEVER).then(|| self.house.links.world.timer(due, waker.clone()));
    }

    /// Starts those that are down, in their order.
    async fn start_again(&mut self) {
        self.due = None;
        self.history.started(self.house.links.world.now());
        while let Some(at) = self.members.iter().position(|member| member.is_down) {
            let member = &mut self.members[at];
            let host = self.house.host.upgrade().ok_or(SpawnError::HostClosed);
            match host.and_then(|host| Life::open(&host, &member.recipe.module, member.recipe.spawn.clone())) {
                Ok(life) => {
                    member.begin(&life);
                    let isolate = life.isolate().id();
                    drop(member.core.serve(Arc::new(life), true));
                    let restarts = member.core.restarts();
                    member.core.tell(&PluginEvent::Restarted { isolate, restarts });
                }
                Err(SpawnError::HostClosed) => self.end(at, Over { exit: Exit::HostClosed, refused: None }),
                Err(error) => return self.refused(at, error).await,
            }
        }
    }

    async fn refused(&mut self, at: usize, error: SpawnError) {
        let now = self.house.links.world.now();
        match self.history.refused(&self.house.restart, now) {
            Verdict::Again { after } => {
                let again_after = Duration::from_nanos(after);
                self.members[at].core.tell(&PluginEvent::Refused { error, again_after });
                self.due = Some(now.saturating_add(after));
            }
            Verdict::Over | Verdict::GiveUp => {
                let over = Over { exit: self.members[at].last.clone(), refused: Some(error) };
                self.end_all(Some((at, over)), self.house.restart.grace_time()).await;
            }
        }
    }

    /// Ends all, the last one first; the one that is the reason may have ended already.
    async fn end_all(&mut self, reason: Option<(usize, Over)>, grace: Duration) {
        self.members.append(&mut self.house.end());
        let mut reason = reason;
        let (mut ends, mut stopped) = (Vec::new(), Vec::new());
        while let Some(at) = self.members.len().checked_sub(1) {
            self.put_down(at, grace).await;
            if at == 0 {
                stopped = self.house.take_stopped();
            }
            let member = &self.members[at];
            let known = reason.take_if(|(reason, _)| *reason == at).map(|(_, over)| over);
            let over = known.unwrap_or_else(|| Over { exit: member.last.clone(), refused: None });
            ends.push((member.core.name.clone(), over.exit.clone()));
            self.end(at, over);
        }
        self.due = None;
        stopped.append(&mut self.house.take_stopped());
        tell_ended(stopped, &ends);
    }

    fn end(&mut self, at: usize, over: Over) {
        let member = self.members.remove(at);
        self.house.forget(&member.core.name);
        member.end(over);
        if !self.members.iter().any(|member| member.is_down) {
            self.due = None;
        }
    }

    fn stop(&mut self, at: usize, grace: Duration) {
        let member = &mut self.members[at];
        member.is_stopping = true;
        if !member.ask_to_end(grace) {
            let exit = member.last.clone();
            return self.end(at, Over { exit, refused: None });
        }
        self.let_go_of_candidate(at);
    }

    /// Nobody can reach it: its isolate finds so when it has done what it has, and returns.
    fn left(&mut self, at: usize) {
        let member = &mut self.members[at];
        member.is_left = true;
        drop(member.core.pause());
        if member.isolate.is_none() {
            let exit = member.last.clone();
            return self.end(at, Over { exit, refused: None });
        }
        self.let_go_of_candidate(at);
    }

    fn let_go_of_candidate(&mut self, at: usize) {
        if let Some(candidate) = self.members[at].candidate.take() {
            candidate.life.isolate().kill(Priority::Immediate);
        }
    }

    fn upgrade(&mut self, at: usize, order: Box<Order>) {
        let late_at = self.house.links.world.after(self.house.restart.ready_time());
        let member = &mut self.members[at];
        if member.is_stopping || member.is_left {
            return member.core.end_upgrade(); // and the order is let go of
        }
        let host = self.house.host.upgrade().ok_or(SpawnError::HostClosed);
        match host.and_then(|host| Life::open(&host, &order.recipe.module, order.recipe.spawn.clone())) {
            Ok(life) => member.candidate = Some(Candidate { life: Arc::new(life), order, late_at }),
            Err(error) => {
                member.core.end_upgrade();
                // Whoever upgraded may not want to know any more.
                let _ = order.outcome.send(Err(UpgradeError::Refused(error)));
            }
        }
    }

    fn ready(&mut self, at: usize) {
        let member = &mut self.members[at];
        let Some(Candidate { life, order, .. }) = member.candidate.take() else { return };
        let Order { recipe, grace, outcome } = *order;
        member.recipe = recipe;
        let old = member.isolate.take();
        member.begin(&life);
        let isolate = life.isolate().id();
        drop(member.core.serve(life, false));
        member.core.end_upgrade();
        member.core.tell(&PluginEvent::Upgraded { isolate });
        match old {
            Some(old) => drop(tokio::spawn(drain(Arc::clone(&member.core), old, grace, outcome))),
            None => drop(outcome.send(Ok(member.last.clone()))),
        }
        if !self.members.iter().any(|member| member.is_down) {
            self.due = None;
        }
    }

    fn not_ready(&mut self, at: usize, error: UpgradeError) {
        let member = &mut self.members[at];
        let Some(Candidate { life, order, .. }) = member.candidate.take() else { return };
        life.isolate().kill(Priority::Immediate);
        member.core.end_upgrade();
        // Whoever upgraded may not want to know any more.
        let _ = order.outcome.send(Err(error));
    }
}

/// Where the host's tasks end before it does, the host is closed.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.members.append(&mut self.house.end());
        for member in self.members.drain(..).rev() {
            let exit = member.isolate.as_ref().and_then(Isolate::exit).unwrap_or(Exit::HostClosed);
            member.end(Over { exit, refused: None });
        }
        tell_ended(self.house.take_stopped(), &[]);
    }
}
