//! What an embedder holds of a host: by it, an isolate could be woken from outside.

use std::cell::RefCell;

use super::{Call, Census, Registry};
use crate::event::Recorder;
use crate::names::NameServer;
use crate::port::Mailbox;
use crate::sync::{Arc, Mutex, Weak};
use crate::usage::Tally;
use crate::world::World;

/// What belongs to one host and is shared by all that refers to it.
pub(crate) struct Links {
    /// What tells this host from others of the process.
    pub(crate) number: u64,
    pub(crate) census: Arc<Census>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) world: Arc<World>,
    pub(crate) names: NameServer,
    /// How many were born and ended, and how.
    pub(crate) tally: Tally,
    /// Where events wait for whoever observes.
    pub(crate) recorder: Arc<Recorder>,
    /// Runs what is the embedder's, later, where it holds up nobody.
    pub(crate) aside: Box<Aside>,
    /// Of the embedder's ports: what waits there may be what wakes an isolate.
    mailboxes: Mutex<Vec<Weak<Mailbox>>>,
}

/// Takes something to run elsewhere. It may be called under any lock.
pub(crate) type Aside = dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync;

thread_local! {
    static RECEIVER: RefCell<Option<Arc<Links>>> = const { RefCell::new(None) };
}

impl Links {
    /// Of the host of this number, nothing in them yet but who may live.
    pub(crate) fn new(number: u64, registry: Registry, world: &Arc<World>, aside: Box<Aside>) -> Arc<Links> {
        Arc::new(Links {
            number,
            census: Arc::default(),
            registry: Arc::new(registry),
            world: Arc::clone(world),
            names: NameServer::default(),
            tally: Tally::default(),
            recorder: Recorder::new(Call::name_of),
            aside,
            mailboxes: Mutex::default(),
        })
    }

    /// Knows a mailbox of the embedder's for as long as it is there.
    pub(crate) fn keep(&self, mailbox: &Arc<Mailbox>) {
        let mut mailboxes = self.mailboxes.lock();
        if mailboxes.len().is_power_of_two() {
            mailboxes.retain(|mailbox| mailbox.strong_count() > 0);
        }
        mailboxes.push(Arc::downgrade(mailbox));
    }

    /// The embedder's mailboxes.
    #[cfg(feature = "testing")]
    pub(crate) fn mailboxes(&self) -> Vec<Arc<Mailbox>> {
        self.mailboxes.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether some isolates live, and nothing can wake any of them: not even what waits in the embedder's ports.
    pub(crate) fn all_asleep(&self) -> bool {
        let before = self.census.changes();
        let all_asleep = || self.census.all_asleep();
        let mailboxes = || self.mailboxes.lock().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        // Nothing happened between the two looks, so both counts and what is queued were so at one time.
        all_asleep()
            && !mailboxes().iter().any(|mailbox| mailbox.holds_capabilities())
            && all_asleep()
            && self.census.changes() == before
    }

    /// Decodes a message of this host: what in its value belongs to a host finds it by [`Links::of_message`].
    pub(crate) fn decode<R>(self: &Arc<Links>, decode: impl FnOnce() -> R) -> R {
        struct Outer(Option<Arc<Links>>);
        impl Drop for Outer {
            fn drop(&mut self) {
                drop(RECEIVER.replace(self.0.take()));
            }
        }
        let _outer = Outer(RECEIVER.replace(Some(Arc::clone(self))));
        decode()
    }

    /// The host whose message this thread decodes.
    pub(crate) fn of_message() -> Option<Arc<Links>> {
        RECEIVER.with_borrow(Clone::clone)
    }
}

/// One thing of the embedder's that may wake an isolate; counted for "all asleep".
pub(crate) struct Hold(Arc<Links>);

impl Hold {
    /// One more.
    pub(crate) fn new(links: &Arc<Links>) -> Hold {
        links.census.hold();
        Hold(Arc::clone(links))
    }

    /// The host's.
    pub(crate) fn links(&self) -> &Arc<Links> {
        &self.0
    }
}

impl Clone for Hold {
    fn clone(&self) -> Hold {
        Hold::new(&self.0)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.census.let_go();
    }
}
