//! The messages of a port as a stream, for tasks.

use std::borrow::Borrow;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use crate::error::{RecvError, SingleError};
use crate::event_loop;
use crate::receive_port::ReceivePort;
use crate::report;
use crate::service::is_forgiven;
use crate::sys;
use crate::task::Receiving;

/// The messages of a port, one after another, until it is closed or unreachable. Dart's `Stream` of a `ReceivePort`.
///
/// It is a [`Stream`] of the `futures` crates, and has what most programs need of one itself. A stream that
/// [owns its port](ReceivePort::into_stream) closes it when it goes, and so do [`first`](MessageStream::first),
/// [`single`](MessageStream::single) and a [`take`](MessageStream::take) that has all it wants. A stream that
/// [borrows its port](ReceivePort::stream) leaves it open, and a message that it was dropped before is the port's next.
///
/// A message that is not a `T` is an uncaught error of this isolate (semantics 6.4); where errors are not fatal the stream
/// goes on after it. The stream of an unreachable port ends when nothing else in this isolate can run, since whatever
/// runs here may ask for a new `SendPort` (semantics 5.3): an exit listener or a timeout tells sooner that a peer is gone.
///
/// ```no_run
/// use insula_guest::{ReceivePort, SendPort};
///
/// async fn worker(main_port: SendPort<SendPort<String>>) -> Result<(), insula_guest::SendError> {
///     let lines = ReceivePort::<String>::new();
///     main_port.send(lines.send_port())?;
///     let mut lines = lines.into_stream().take(3);
///     while let Some(line) = lines.next().await {
///         println!("{line}");
///     }
///     Ok(())
/// }
/// ```
pub struct MessageStream<T, P = ReceivePort<T>>
where
    P: Borrow<ReceivePort<T>>,
{
    receiving: Receiving,
    port: P,
    left: usize,
    closes: bool,
    of: PhantomData<fn() -> T>,
}

impl<T, P: Borrow<ReceivePort<T>>> MessageStream<T, P> {
    pub(crate) fn new(port: P, closes: bool) -> MessageStream<T, P> {
        let receiving = Receiving::new(port.borrow().handle.number());
        MessageStream { receiving, port, left: usize::MAX, closes, of: PhantomData }
    }

    /// The first `count` of the messages; the stream ends with the last of them.
    #[must_use = "this is the stream of so many; the other one is gone"]
    pub fn take(mut self, count: usize) -> MessageStream<T, P> {
        self.left = self.left.min(count);
        self.end_if_enough();
        self
    }

    fn end_if_enough(&mut self) {
        if self.left == 0 && self.closes {
            self.port.borrow().close();
        }
    }
}

impl<T: DeserializeOwned, P: Borrow<ReceivePort<T>>> MessageStream<T, P> {
    /// The next message; nothing at the end. Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<T> {
        let waits = Waits(self);
        poll_fn(|context| waits.0.poll_item(context)).await
    }

    /// The first message. Closes the port, where the stream owns it.
    ///
    /// # Errors
    /// When there is none and will be none, or it is not a `T`; see [`RecvError`].
    pub async fn first(mut self) -> Result<T, RecvError> {
        poll_fn(|context| self.poll_message(context)).await
    }

    /// The only message there is: waits until the port is closed or unreachable. Dart's `Stream.single`.
    ///
    /// # Errors
    /// [`SingleError::Several`] as soon as there is a second one; else as [`first`](MessageStream::first).
    pub async fn single(mut self) -> Result<T, SingleError> {
        let only = poll_fn(|context| self.poll_message(context)).await?;
        SingleError::unless_last(poll_fn(|context| self.poll_message(context)).await.map(drop))?;
        Ok(only)
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        if self.left == 0 {
            return Poll::Ready(Err(RecvError::Closed));
        }
        let message = ready!(self.receiving.poll(context))?;
        self.left -= 1;
        self.end_if_enough();
        Poll::Ready(Ok(message.decode()?))
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            match ready!(self.poll_message(context)) {
                Ok(message) => return Poll::Ready(Some(message)),
                Err(error) if is_forgiven::<T>(&error, self.port.borrow().handle.number()) => {}
                Err(error) if ends(error, self.port.borrow().handle.number()) => return Poll::Ready(None),
                Err(_) => {}
            }
        }
    }
}

/// Whether a stream ends of this. What is wrong with one message only is raised, and the message dropped.
#[cold]
fn ends(error: RecvError, port: u32) -> bool {
    match error {
        RecvError::Closed | RecvError::Unreachable => return true,
        RecvError::TooMany => {
            let _ = sys::ports_discard(port);
            report::uncaught(event_loop::NO_ROOM);
        }
        RecvError::Undecodable(_) => report::report_error(error),
        RecvError::Refused(_) => {
            report::report_error(error);
            return true;
        }
    }
    false
}

/// A future that waits for the stream's next message: nobody does any more when it goes.
struct Waits<'a, T, P: Borrow<ReceivePort<T>>>(&'a mut MessageStream<T, P>);

impl<T, P: Borrow<ReceivePort<T>>> Drop for Waits<'_, T, P> {
    fn drop(&mut self) {
        self.0.receiving.cancel();
    }
}

impl<T: DeserializeOwned, P: Borrow<ReceivePort<T>> + Unpin> Stream for MessageStream<T, P> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.get_mut().poll_item(context)
    }
}

impl<T, P: Borrow<ReceivePort<T>>> fmt::Debug for MessageStream<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageStream").field(self.port.borrow()).finish()
    }
}
