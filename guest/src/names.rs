//! The name server: where isolates of one namespace find each other. It needs the `names` grant (semantics 6.5).
//!
//! ```no_run
//! use insula_guest::{ReceivePort, SendPort, names};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let port = ReceivePort::<String>::new();
//! names::register("log", &port.send_port())?;
//! let log: SendPort<String> = names::lookup("log")?; // here or in any other isolate of the namespace
//! log.send("hello".to_owned())?;
//! # Ok(())
//! # }
//! ```

use crate::error::Refused;
use crate::handle::Handle;
use crate::send_port::SendPort;
use crate::sys;

/// Makes a port known by a name, until it is removed or this isolate ends.
///
/// # Errors
/// `Taken` when the name is in use, `Denied` without the grant.
pub fn register<T>(name: &str, port: &SendPort<T>) -> Result<(), Refused> {
    sys::register(name, port.handle.number()).map_err(Refused::by_host)
}

/// The port that is known by a name. That its messages are of type `T` is the caller's word.
///
/// # Errors
/// `NotFound` when there is none, `Denied` without the grant.
pub fn lookup<T>(name: &str) -> Result<SendPort<T>, Refused> {
    crate::report::install_hook();
    sys::lookup(name).map(|number| SendPort::own(Handle::own(number))).map_err(Refused::by_host)
}

/// Takes a name away.
///
/// # Errors
/// `NotFound` when there is none, `Denied` without the grant.
pub fn remove(name: &str) -> Result<(), Refused> {
    sys::unregister(name).map_err(Refused::by_host)
}
