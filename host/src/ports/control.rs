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

    /// Posts every uncaught error to `port`, as [`RemoteError`](crate::RemoteError) or as [`Value`](crate::Value).
    pub fn on_error<E: ErrorNotice>(self, port: &SendPort<E>) -> Spawn {
        self.told_of_errors(port.right().clone())
    }
}
