//! A port that is nothing but its handler.

use std::cell::RefCell;
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;

use insula_wire::MailboxPolicy;
use serde::de::DeserializeOwned;

use crate::event_loop::{self, Listener};
use crate::message::Incoming;
use crate::outcome::Outcome;
use crate::receive_port::{Message, ReceivePort};
use crate::send_port::SendPort;

type Turn = Result<ControlFlow<()>, String>;

type Handler = Rc<RefCell<dyn FnMut(Incoming) -> Turn>>;

/// A port whose messages go to a handler, which can be set, swapped and taken away between messages. Dart's
/// `RawReceivePort` (semantics 6.3).
///
/// The handler is called in the event loop, so after the entry returned, with each message and its kind. A message that
/// comes to its turn while there is no handler is dropped. The port keeps the isolate alive as long as it is open and
/// somebody else can send to it; dropping this value changes nothing.
///
/// ```no_run
/// use insula_guest::{Message, RawReceivePort, SendPort};
///
/// fn worker(to_main: SendPort<SendPort<String>>) {
///     let port = RawReceivePort::new();
///     to_main.send(port.send_port()).ok();
///     let own = port.clone();
///     port.set_handler(move |name: Message<String>| {
///         println!("the first is {}", name.value);
///         own.set_handler(|name| println!("then comes {}", name.value));
///     });
/// }
/// ```
pub struct RawReceivePort<T> {
    port: Rc<ReceivePort<T>>,
    listener: Listener,
    handler: Rc<RefCell<Option<Handler>>>,
}

impl<T> RawReceivePort<T> {
    /// A new port without a handler.
    ///
    /// # Panics
    /// When this isolate may have no more ports.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes something with the host, which a default does not")]
    pub fn new() -> RawReceivePort<T> {
        let port = ReceivePort::with_policy(MailboxPolicy::Error);
        let handler: Rc<RefCell<Option<Handler>>> = Rc::default();
        let current = Rc::clone(&handler);
        let listener = event_loop::listen(port.handle.shared(), move |message| {
            // Not borrowed while it runs: it may swap itself.
            let handler = current.borrow().clone();
            match handler {
                Some(handler) => (handler.borrow_mut())(message),
                None => Ok(ControlFlow::Continue(())),
            }
        });
        RawReceivePort { port: Rc::new(port), listener, handler }
    }

    /// Has no handler called from the next message on: what comes to its turn is dropped.
    pub fn clear_handler(&self) {
        drop(self.handler.replace(None));
    }

    /// The right to send to this port.
    ///
    /// # Panics
    /// When this isolate may hold no more handles.
    #[must_use]
    pub fn send_port(&self) -> SendPort<T> {
        self.port.send_port()
    }

    /// Whether the open port keeps its isolate alive; it does at first.
    pub fn keep_alive(&self, on: bool) {
        self.listener.keep_alive(on);
    }

    /// Drops what is queued and ends the port; no handler is called again. Closing twice is fine.
    pub fn close(&self) {
        self.listener.close();
        self.clear_handler();
    }
}

impl<T: DeserializeOwned> RawReceivePort<T> {
    /// Has `handler` called for each message from the next one on, in place of the one before. What it may return, and
    /// what becomes of a message that is not a `T`, is as for [`ReceivePort::listen`].
    pub fn set_handler<H, O>(&self, mut handler: H)
    where
        H: FnMut(Message<T>) -> O + 'static,
        O: Outcome,
    {
        let handler = move |message: Incoming| match Message::decode(message) {
            Ok(message) => handler(message).outcome(),
            Err(undecodable) => Err(undecodable.to_string()),
        };
        drop(self.handler.replace(Some(Rc::new(RefCell::new(handler)))));
    }
}

impl<T> Clone for RawReceivePort<T> {
    fn clone(&self) -> RawReceivePort<T> {
        let (port, handler) = (Rc::clone(&self.port), Rc::clone(&self.handler));
        RawReceivePort { port, listener: self.listener, handler }
    }
}

impl<T> fmt::Debug for RawReceivePort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawReceivePort").field(&self.port.handle.number()).finish()
    }
}
