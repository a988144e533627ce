//! Calls of host functions: out of their port, in their order, as there is room for them, and to their end.
//!
//! A function has so many places, and a plugin so many of those; a function that blocks has threads, of which a plugin has
//! a part. A call that its own plugin leaves no room for is set aside, so that it holds up nobody else's.

use std::any::Any;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use insula_wire::{Answer, RemoteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::futures::Notified;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, yield_now};

use super::call::Request;
use super::function::Caller;
use super::{ReceivePort, SendPort, Traced};
use crate::control::{Control, Flags, Hold, Links};
use crate::error::SendError;
use crate::exit::{Exit, IsolateId};
use crate::host::{Share, Shares};
use crate::isolate::ended;
use crate::port::{Attachment, Message, SendRight, codec};
use crate::sync::{Arc, Mutex};
use crate::world::{AtWork, World};

/// Calls of one function that one plugin may have set aside.
const ASIDE_MAX: usize = 1_000;

/// Bytes of the questions in them.
const ASIDE_BYTES_MAX: usize = 8 << 20;

/// So many are taken and do not begin before other tasks have their turn.
const AT_ONCE: usize = 16;

/// A function, as whoever serves it knows it.
pub(super) struct Serving {
    pub(super) port: ReceivePort<()>,
    pub(super) places: Arc<Semaphore>,
    pub(super) shares: Arc<Shares>,
    /// Of the host's threads, where each call takes one.
    pub(super) threads: Option<Arc<Shares>>,
    pub(super) links: Arc<Links>,
    pub(super) name: Arc<str>,
}

/// One call under way: it has its place among those that are, and for so long something may wake its caller.
pub(super) struct Call<A> {
    pub(super) caller: Caller,
    name: Arc<str>,
    links: Arc<Links>,
    /// The question, until it is decoded.
    message: Mutex<Option<Message>>,
    /// Held to the end: a caller whose function panicked is to end before it learns that there is no answer.
    reply: Option<SendPort<Answer<A>>>,
    _place: OwnedSemaphorePermit,
    _room: Room,
    _hold: Hold,
    _at_work: AtWork,
}

impl<A: Serialize> Call<A> {
    /// That of the host whose function is called.
    pub(super) fn world(&self) -> &World {
        &self.links.world
    }

    /// Decodes the question, once. One that is none of this type is answered so.
    pub(super) fn question<Q: DeserializeOwned>(&self) -> Option<Q> {
        let message = self.message.lock().take()?;
        match self.links.decode(|| codec::decode::<Request<Q, A>>(message)) {
            Ok(request) => Some(request.question),
            Err(error) => {
                let wanted = std::any::type_name::<Q>();
                self.fail(format!("the question is no {wanted}, at byte {}", error.position));
                None
            }
        }
    }

    /// The caller may be gone, or have given up, and then nobody is told. Here and below nothing waits for room: where the
    /// answer goes is the caller's choice, and a port that never has any would keep the thread of all functions.
    pub(super) fn answer(&self, answer: &A) {
        let sent = self.reply(Answer::Value(answer));
        if let Err(error) = sent {
            self.fail(format!("the answer was not sent: {}", error.reason()));
        }
    }

    fn fail(&self, message: String) {
        let _ = self.reply(Answer::Failed(RemoteError { message, stack: String::new() }));
    }

    /// Within the trace of the call, in which its caller goes on.
    fn reply(&self, answer: Answer<&A>) -> Result<(), SendError> {
        let Some(reply) = &self.reply else { return Ok(()) };
        reply.clone().cast().try_send(&Traced { message: answer, context: self.caller.context })
    }

    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = format!("the host function `{}` panicked: {}", self.name, text.unwrap_or("no text"));
        self.caller.control.end_now(Exit::HostFault { message });
    }
}

/// A call that has not begun.
struct Asked {
    control: Arc<Control>,
    message: Message,
    hold: Hold,
}

/// What a dispatcher waits for.
enum Came {
    /// Somebody gave room back.
    Room,
    Request(Option<IsolateId>, Message, Hold),
    /// Nobody can call any more.
    Nobody,
}

/// What a call has of the room that its plugin may have.
type Room = (Share, Option<Share>);

impl Serving {
    /// Room for one more call of this plugin. Nothing is taken only to be given back: that would wake whoever waits for it.
    fn room(&self, of: IsolateId) -> Option<Room> {
        let has_room = |shares: &Arc<Shares>| shares.has_room(of);
        if !has_room(&self.shares) || !self.threads.as_ref().is_none_or(has_room) {
            return None;
        }
        let share = self.shares.take(of)?;
        match &self.threads {
            Some(threads) => Some((share, Some(threads.take(of)?))),
            None => Some((share, None)),
        }
    }

    /// The next call that may begin; none when nobody can call any more, and nobody waits.
    async fn next(&self, aside: &mut VecDeque<Asked>) -> Option<(Asked, Room)> {
        for taken in 1_usize.. {
            // Calls that are not to begin may come as fast as they are taken.
            if taken.is_multiple_of(AT_ONCE) {
                yield_now().await;
            }
            // Before the look at what was set aside, so that nothing is given back unseen.
            let given_back = (self.shares.given_back(), self.threads.as_ref().map(|threads| threads.given_back()));
            if let Some(ready) = self.take_ready(aside) {
                return Some(ready);
            }
            match self.request(given_back, !aside.is_empty()).await {
                Came::Room => {}
                Came::Nobody => return None,
                Came::Request(sender, message, hold) => {
                    // Only an isolate that lives can be answered; what the embedder sent here, or a notice, is no call.
                    let Some(control) = sender.and_then(|sender| self.links.registry.find(sender)) else { continue };
                    let asked = Asked { control, message, hold };
                    let of = asked.control.lineage.root();
                    let waits = aside.iter().any(|other| other.control.lineage.root() == of);
                    match if waits { None } else { self.room(of) } {
                        Some(room) => return Some((asked, room)),
                        None => self.set_aside(aside, asked),
                    }
                }
            }
        }
        None
    }

    /// Waits for a request, or for room for those that were set aside, if any were.
    async fn request(&self, given_back: (Notified<'_>, Option<Notified<'_>>), waits: bool) -> Came {
        let (mut given_back, mut thread_given_back) = (pin!(given_back.0), pin!(given_back.1));
        let (mut request, mut is_over) = (pin!(self.port.request_async()), false);
        poll_fn(|cx| {
            // Before the request, which must not be taken and then left.
            let has_room = given_back.as_mut().poll(cx).is_ready()
                || thread_given_back.as_mut().as_pin_mut().is_some_and(|given_back| given_back.poll(cx).is_ready());
            if has_room {
                return Poll::Ready(Came::Room);
            }
            if is_over {
                return Poll::Pending;
            }
            match request.as_mut().poll(cx) {
                Poll::Ready(Some((sender, message, hold))) => Poll::Ready(Came::Request(sender, message, hold)),
                Poll::Ready(None) if !waits => Poll::Ready(Came::Nobody),
                Poll::Ready(None) => {
                    is_over = true;
                    Poll::Pending
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// The oldest of those that were set aside which may begin now. Of the dead, nothing is kept.
    fn take_ready(&self, aside: &mut VecDeque<Asked>) -> Option<(Asked, Room)> {
        aside.retain(|asked| !asked.control.flags.any(Flags::END));
        let mut full = Vec::new();
        for at in 0..aside.len() {
            let of = aside[at].control.lineage.root();
            if full.contains(&of) {
                continue;
            }
            match self.room(of) {
                Some(room) => return aside.remove(at).map(|asked| (asked, room)),
                None => full.push(of),
            }
        }
        None
    }

    fn set_aside(&self, aside: &mut VecDeque<Asked>, asked: Asked) {
        let of = asked.control.lineage.root();
        let own = || aside.iter().filter(|other| other.control.lineage.root() == of);
        let bytes: usize = own().map(|other| other.message.bytes.len()).sum();
        if own().count() < ASIDE_MAX && bytes + asked.message.bytes.len() <= ASIDE_BYTES_MAX {
            return aside.push_back(asked);
        }
        let context = asked.message.attachments.trace_context();
        let reply = first_port(&asked.message).map(|right| SendPort::new(right, &self.links));
        let message = format!("too many calls of the host function `{}` wait already", self.name);
        let failed = Answer::<()>::Failed(RemoteError { message, stack: String::new() });
        let _ = reply.map(|reply| reply.try_send(&Traced { message: failed, context }));
    }

    fn call<A>(&self, asked: Asked, room: Room, place: OwnedSemaphorePermit) -> Call<A> {
        let Asked { control, message, hold } = asked;
        Call {
            caller: Caller { control, context: message.attachments.trace_context() },
            name: Arc::clone(&self.name),
            links: Arc::clone(&self.links),
            reply: first_port(&message).map(|right| SendPort::new(right, &self.links)),
            message: Mutex::new(Some(message)),
            _place: place,
            _room: room,
            _hold: hold,
            _at_work: self.links.world.at_work(),
        }
    }
}

/// The port for what comes back, which comes first in a request that has one.
fn first_port(message: &Message) -> Option<SendRight> {
    match (message.bytes.first(), message.attachments.first()) {
        (Some(1), Some(Attachment::Send(right))) => Some(right.clone()),
        _ => None,
    }
}

/// Takes calls out of the port as there are places for them, until nobody can call any more.
pub(super) async fn dispatch<A: Serialize + 'static>(
    serving: Serving,
    begin: impl Fn(&Handle, Call<A>) -> JoinHandle<()>,
) {
    let threads = Handle::current();
    let mut aside = VecDeque::new();
    while let Ok(place) = Arc::clone(&serving.places).acquire_owned().await {
        let Some((asked, room)) = serving.next(&mut aside).await else { break };
        let control = Arc::clone(&asked.control);
        let call = serving.call(asked, room, place);
        threads.spawn(watch(begin(&threads, call), control));
    }
}

/// Waits for a call, or for the end of its caller, which is the end of the call too.
async fn watch(mut call: JoinHandle<()>, control: Arc<Control>) {
    let mut ended = pin!(ended(&control));
    let is_over = poll_fn(|cx| match Pin::new(&mut call).poll(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending => ended.as_mut().poll(cx).map(|_| false),
    });
    if !is_over.await {
        call.abort(); // which changes nothing for a function that has a thread by now
    }
}
