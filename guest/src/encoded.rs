//! Messages whose bytes the program keeps: encoded once for many sends, and decoded where they lie.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::error::{RecvError, SendError};
use crate::message::{Incoming, Kept, Outgoing};
use crate::receive_port::ReceivePort;
use crate::send_port::SendPort;
use crate::time;

/// A message that is encoded once, and sent as often as wanted, to one port or to many.
///
/// Large messages profit too: the host copies out of this value, and nothing is copied before it. A message with a
/// [`Blob`](crate::Blob) in it can be sent once, as the blob can.
///
/// ```no_run
/// use insula_guest::{Encoded, ReceivePort, SendPort};
///
/// # let workers: Vec<SendPort<(u32, Vec<f64>)>> = Vec::new();
/// let weights = Encoded::new(&(1, vec![0.5; 10_000]))?;
/// for worker in &workers {
///     worker.send_encoded(&weights)?;
/// }
/// # Ok::<(), insula_guest::SendError>(())
/// ```
pub struct Encoded<T> {
    kept: Kept,
    of: PhantomData<fn(T)>,
}

impl<T: Serialize> Encoded<T> {
    /// The message, encoded. It holds the capabilities in it as the value did.
    ///
    /// # Errors
    /// A message that cannot be sent; see [`SendError`].
    pub fn new(message: &T) -> Result<Encoded<T>, SendError> {
        Ok(Encoded { kept: Outgoing::encode(message)?.keep(), of: PhantomData })
    }
}

impl<T> Encoded<T> {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.body().bytes.len()
    }

    /// Whether it has none, as `()` has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Encoded<T> {
    fn clone(&self) -> Encoded<T> {
        Encoded { kept: self.kept.clone(), of: PhantomData }
    }
}

impl<T> fmt::Debug for Encoded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("bytes", &self.len()).finish_non_exhaustive()
    }
}

impl<T> SendPort<T> {
    /// As [`send`](SendPort::send), for a message that was encoded before.
    ///
    /// # Errors
    /// As [`send`](SendPort::send).
    pub fn send_encoded(&self, message: &Encoded<T>) -> Result<(), SendError> {
        self.post(message.kept.body(), Some(time::NEVER))
    }
}

/// Room for one message, which [`ReceivePort::recv_in`] decodes where it lies.
///
/// ```no_run
/// use insula_guest::{MessageBuffer, ReceivePort};
///
/// let frames = ReceivePort::<Vec<u8>>::new();
/// let mut buffer = MessageBuffer::new();
/// let first: &[u8] = frames.recv_in(&mut buffer)?;
/// println!("{} bytes", first.len());
/// # Ok::<(), insula_guest::RecvError>(())
/// ```
#[derive(Default)]
pub struct MessageBuffer(Option<Incoming>);

impl MessageBuffer {
    /// Room for a message of any size.
    #[must_use]
    pub fn new() -> MessageBuffer {
        MessageBuffer::default()
    }
}

impl fmt::Debug for MessageBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBuffer").finish_non_exhaustive()
    }
}

impl<T> ReceivePort<T> {
    /// As [`recv`](ReceivePort::recv), but nothing is copied out of the message: what comes back may borrow texts and
    /// bytes from the buffer, which the next message uses again. `B` is a type that is encoded as `T` is: `&str` for
    /// `String`, a struct with `&str` fields for one with `String` fields.
    ///
    /// ```no_run
    /// use insula_guest::{MessageBuffer, ReceivePort};
    ///
    /// let words = ReceivePort::<(u32, String)>::new();
    /// let mut buffer = MessageBuffer::new();
    /// let mut longest = 0;
    /// while let Ok((_, word)) = words.recv_in::<(u32, &str)>(&mut buffer) {
    ///     longest = longest.max(word.len());
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](ReceivePort::recv).
    pub fn recv_in<'b, B: Deserialize<'b>>(&self, buffer: &'b mut MessageBuffer) -> Result<B, RecvError> {
        buffer.0.take().into_iter().for_each(Incoming::make_room);
        let message = buffer.0.insert(self.incoming(time::NEVER)?);
        Ok(message.decode_here::<B>()?)
    }
}
