//! Requests that name a port: pings and listeners.

use insula_wire::{Kind, MailboxPolicy, Priority, RemoteError, Status};
use serde::Serialize;

use super::value::{self, ErrorNotice};
use super::{ReceivePort, SendPort};
use crate::error::SendError;
use crate::isolate::Isolate;
use crate::limits::Limits;
use crate::port::codec;
use crate::spawn::Spawn;

impl Isolate {
    /// Posts `response` to `port`: at once, or at the end of the isolate's turn. The dead never answer.
    ///
    /// # Errors
    /// [`SendError`] where the answer would find no room.
    pub fn ping<R: Serialize>(&self, port: &SendPort<R>, response: R, priority: Priority) -> Result<(), SendError> {
        let (right, response, claims) = port.told(&response)?;
        self.control().ping(right, response, priority).map_err(SendError::from)?;
        claims.settle();
        Ok(())
    }

    /// Posts `response` to `port` as the isolate's last act; at once where it is dead. Keyed by port.
    ///
    /// # Errors
    /// [`SendError`] where the notice would find no room.
    pub fn add_exit_listener<R: Serialize>(&self, port: &SendPort<R>, response: R) -> Result<(), SendError> {
        let (right, response, claims) = port.told(&response)?;
        self.control().add_exit_listener(right, response).map_err(SendError::from)?;
        claims.settle();
        Ok(())
    }

    /// Takes an exit listener back.
    pub fn remove_exit_listener<R>(&self, port: &SendPort<R>) {
        self.control().remove_exit_listener(port.number());
    }

    /// Posts every uncaught error to `port`, as [`RemoteError`](crate::RemoteError) or as [`Value`](crate::Value).
    ///
    /// # Errors
    /// [`SendError`] where a notice would find no room.
    pub fn add_error_listener<E: ErrorNotice>(&self, port: &SendPort<E>) -> Result<(), SendError> {
        if !value::takes_errors(port.right().port().schema()) {
            return Err(Status::Invalid.into());
        }
        self.control().add_error_listener(port.right().clone()).map_err(SendError::from)
    }

    /// The uncaught errors of the isolate from now on; the port ends when the isolate has.
    ///
    /// # Errors
    /// [`SendError`] where a notice would find no room.
    pub fn errors(&self) -> Result<ReceivePort<RemoteError>, SendError> {
        let port = ReceivePort::open(self.links(), &Limits::default(), MailboxPolicy::Error);
        self.add_error_listener(&port.send_port())?;
        Ok(port)
    }

    /// Takes an error listener back.
    pub fn remove_error_listener<E: ErrorNotice>(&self, port: &SendPort<E>) {
        self.control().remove_error_listener(port.number());
    }
}

impl Spawn {
    /// Posts `response` to `port` as the isolate's last act.
    pub fn on_exit<R: Serialize>(self, port: &SendPort<R>, response: R) -> Spawn {
        self.told_of_exit(port.right().clone(), codec::encode(&response, Kind::Data))
    }

    /// Sends its standard output to `port`, and that of the isolates that it spawns: each write is a message, of 4 KiB at
    /// most. They hold the right to send until they are gone, so the port ends when they have.
    ///
    /// What a write does that finds the port full is the port's own choice, as in any send: with
    /// [`MailboxPolicy::Wait`] the isolate waits for room, with `DropOldest` the latest stays, and with `Error` the
    /// write fails, which is a panic for most programs. On a closed port every write fails. As for any sender there is room
    /// for an isolate's share of the mailbox ([`Limits::sender_percent`]).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use insula::{Host, Limits, MailboxPolicy, Spawn};
    /// let host = Host::builder().isolates(1).build()?;
    /// let module = host.load("silent", b"(module (func (export \"run\")))")?;
    /// let printed = host.receive_port_with::<Vec<u8>>(&Limits::default(), MailboxPolicy::Wait);
    /// host.spawn(&module, Spawn::entry("run").stdout_to(&printed.send_port()))?;
    /// assert_eq!(printed.messages().count(), 0, "it printed nothing, and is gone");
    /// # Ok(())
    /// # }
    /// ```
    pub fn stdout_to(self, port: &SendPort<Vec<u8>>) -> Spawn {
        self.printing_to(Some(port.right().clone()), None)
    }

    /// Sends its standard error to `port`, as [`Spawn::stdout_to`] does with its output. Both may go to one port.
    pub fn stderr_to(self, port: &SendPort<Vec<u8>>) -> Spawn {
        self.printing_to(None, Some(port.right().clone()))
    }

    /// Posts every uncaught error to `port`, as [`RemoteError`](crate::RemoteError) or as [`Value`](crate::Value).
    pub fn on_error<E: ErrorNotice>(self, port: &SendPort<E>) -> Spawn {
        self.told_of_errors(port.right().clone())
    }
}
