//! What callers, the relay and the keeper of a plugin share: which isolate is the present one, and what is asked of the
//! keeper.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::event::PluginEvent;
use super::upgrade::{Order, UpgradeError};
use crate::control::Links;
use crate::error::SpawnError;
use crate::exit::{Exit, IsolateId};
use crate::isolate::Isolate;
use crate::port::Port;
use crate::ports::{CallError, Service};
use crate::sync::{Arc, Mutex};
use crate::until::Bell;

/// One isolate of a plugin, whose types are known to the callers only.
pub(super) type Life = Service<(), ()>;

/// Who is called with events.
pub(super) type Told = Arc<dyn Fn(&PluginEvent) + Send + Sync>;

/// How a plugin ended for good.
#[derive(Clone, Debug)]
pub(super) struct Over {
    pub(super) exit: Exit,
    /// Why its last restart was refused.
    pub(super) refused: Option<SpawnError>,
}

/// What there is to call.
enum Phase {
    Present(Arc<Life>),
    /// Nobody now, and perhaps somebody later.
    Between,
    Over(Over),
}

/// What is asked of the keeper.
#[derive(Default)]
pub(super) struct Orders {
    /// To stop, within this time.
    pub(super) stop: Option<Duration>,
    pub(super) upgrade: Option<Box<Order>>,
    /// Nobody can reach it any more.
    pub(super) left: bool,
}

struct State {
    phase: Phase,
    waiting: Vec<Waker>,
    told: Vec<Told>,
    restarts: u64,
    upgrading: bool,
    orders: Orders,
}

/// The part of a plugin that outlives its isolates.
pub(super) struct Core {
    pub(super) name: String,
    pub(super) links: Arc<Links>,
    /// Where messages to it come in.
    port: Arc<Port>,
    /// Rung for the keeper.
    keeper: Arc<Bell>,
    /// Rung for the relay.
    pub(super) relay: Bell,
    state: Mutex<State>,
}

impl Core {
    pub(super) fn new(name: String, first: Arc<Life>, port: &Arc<Port>, keeper: &Arc<Bell>) -> Arc<Core> {
        let state = State {
            phase: Phase::Present(Arc::clone(&first)),
            waiting: Vec::new(),
            told: Vec::new(),
            restarts: 0,
            upgrading: false,
            orders: Orders::default(),
        };
        Arc::new(Core {
            name,
            links: Arc::clone(first.isolate().links()),
            port: Arc::clone(port),
            keeper: Arc::clone(keeper),
            relay: Bell::default(),
            state: Mutex::new(state),
        })
    }

    /// Who is to be called: the present isolate, unless it is the one that the caller knows to be dead; or how all ended.
    pub(super) fn look(&self, dead: Option<IsolateId>) -> Option<Result<Arc<Life>, Over>> {
        match &self.state.lock().phase {
            Phase::Present(life) if Some(life.isolate().id()) != dead => Some(Ok(Arc::clone(life))),
            Phase::Present(_) | Phase::Between => None,
            Phase::Over(over) => Some(Err(over.clone())),
        }
    }

    /// As look, and waits for it. Dropping it loses nothing.
    pub(super) async fn present(&self, dead: Option<IsolateId>) -> Result<Arc<Life>, CallError> {
        let present = self.wait(|| self.look(dead)).await;
        present.map_err(|over| over.refused.map_or(CallError::Ended(over.exit), CallError::Unborn))
    }

    /// How it ended for good, when it has. Dropping it loses nothing.
    pub(super) async fn over(&self) -> Over {
        self.wait(|| self.is_over()).await
    }

    pub(super) fn is_over(&self) -> Option<Over> {
        match &self.state.lock().phase {
            Phase::Over(over) => Some(over.clone()),
            Phase::Present(_) | Phase::Between => None,
        }
    }

    /// The present isolate.
    pub(super) fn isolate(&self) -> Option<Isolate> {
        match &self.state.lock().phase {
            Phase::Present(life) => Some(life.isolate().clone()),
            Phase::Between | Phase::Over(_) => None,
        }
    }

    pub(super) fn restarts(&self) -> u64 {
        self.state.lock().restarts
    }

    async fn wait<R>(&self, look: impl Fn() -> Option<R>) -> R {
        if let Some(found) = look() {
            return found;
        }
        let mut waiting = Waiting { core: self, waker: None };
        poll_fn(|cx| {
            waiting.stand(cx);
            look().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Asks something of the keeper. Of no effect where it is over.
    pub(super) fn order(&self, order: impl FnOnce(&mut Orders)) {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Over(_)) {
            order(&mut state.orders);
        }
        drop(state);
        self.keeper.ring();
    }

    /// What is asked of the keeper; the stop and the upgrade are taken out.
    pub(super) fn take_orders(&self) -> Orders {
        let mut state = self.state.lock();
        let left = state.orders.left;
        std::mem::replace(&mut state.orders, Orders { left, ..Orders::default() })
    }

    /// The stop that is asked for, which stays so.
    pub(super) fn will_stop(&self) -> Option<Duration> {
        self.state.lock().orders.stop
    }

    pub(super) fn is_left(&self) -> bool {
        self.state.lock().orders.left
    }

    /// Asks for an upgrade, one at a time.
    pub(super) fn order_upgrade(&self, order: Order) -> Result<(), UpgradeError> {
        let mut state = self.state.lock();
        if let Phase::Over(over) = &state.phase {
            return Err(UpgradeError::Ended(over.exit.clone()));
        }
        if state.upgrading {
            return Err(UpgradeError::UnderWay);
        }
        state.upgrading = true;
        state.orders.upgrade = Some(Box::new(order));
        drop(state);
        self.keeper.ring();
        Ok(())
    }

    /// The next one may be asked for.
    pub(super) fn end_upgrade(&self) {
        self.state.lock().upgrading = false;
    }

    /// Has this called with what happens from here on.
    pub(super) fn on_event(&self, told: Told) {
        let mut state = self.state.lock();
        match &state.phase {
            Phase::Over(over) => {
                let event = over.to_event();
                drop(state);
                self.call(&told, event);
            }
            Phase::Present(_) | Phase::Between => state.told.push(told),
        }
    }

    /// Tells what happened, on the host's thread for that.
    pub(super) fn tell(&self, event: &PluginEvent) {
        let told = self.state.lock().told.clone();
        told.iter().for_each(|told| self.call(told, event.clone()));
    }

    fn call(&self, told: &Told, event: PluginEvent) {
        let told = Arc::clone(told);
        (self.links.aside)(Box::new(move || told(&event)));
    }

    /// It is this isolate that is called from here on. Answers with the one that was.
    pub(super) fn serve(&self, life: Arc<Life>, is_restart: bool) -> Option<Arc<Life>> {
        self.state.lock().restarts += u64::from(is_restart);
        self.change(Phase::Present(life))
    }

    /// Nobody is called for now. Answers with the isolate that was.
    pub(super) fn pause(&self) -> Option<Arc<Life>> {
        self.change(Phase::Between)
    }

    /// Nobody is called any more.
    pub(super) fn end(&self, over: Over) {
        let event = over.to_event();
        drop(self.change(Phase::Over(over)));
        // What waits there is let go, and whoever sends learns that it is closed.
        self.port.mailbox().close_port(&self.port);
        self.tell(&event);
        let mut state = self.state.lock();
        let (told, orders) = (std::mem::take(&mut state.told), std::mem::take(&mut state.orders));
        drop(state);
        drop((told, orders)); // Whoever waits for an upgrade learns of it by that.
    }

    /// What was over stays so.
    fn change(&self, phase: Phase) -> Option<Arc<Life>> {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Over(_)) {
            return None;
        }
        let before = std::mem::replace(&mut state.phase, phase);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        self.relay.ring();
        match before {
            Phase::Present(life) => Some(life),
            Phase::Between | Phase::Over(_) => None,
        }
    }
}

impl Over {
    fn to_event(&self) -> PluginEvent {
        PluginEvent::Over { exit: self.exit.clone(), refused: self.refused.clone() }
    }
}

/// Who waits for another phase: forgotten when that is over.
struct Waiting<'a> {
    core: &'a Core,
    waker: Option<Waker>,
}

impl Waiting<'_> {
    /// Stands in line before the look, so that what happens after it is not missed.
    fn stand(&mut self, cx: &Context<'_>) {
        self.leave();
        self.waker = Some(cx.waker().clone());
        self.core.state.lock().waiting.push(cx.waker().clone());
    }

    fn leave(&mut self) {
        let Some(waker) = self.waker.take() else { return };
        let mut state = self.core.state.lock();
        let (goes, stays): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.waiting).into_iter().partition(|other| other.will_wake(&waker));
        state.waiting = stays;
        drop(state);
        drop(goes);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
