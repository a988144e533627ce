//! A namespace of the host's name server, as the embedder uses it.

use super::SendPort;
use crate::control::Links;
use crate::host::Host;
use crate::names::NAME_BYTES_MAX;
use crate::sync::Arc;

/// A namespace, where isolates that have a grant for it, and the embedder, find each other's ports (semantics 6.5).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let (names, port) = (host.names("app"), host.receive_port::<String>());
/// names.register("log", &port.send_port())?;
/// names.lookup::<String>("log").ok_or("nobody logs")?.send("hello".to_owned())?;
/// assert_eq!(port.recv()?, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Names {
    links: Arc<Links>,
    namespace: String,
}

/// Why a name was not registered.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::NameError;
/// let host = insula::Host::builder().isolates(1).build()?;
/// let (names, port) = (host.names("app"), host.receive_port::<String>());
/// names.register("log", &port.send_port())?;
/// assert_eq!(names.register("log", &port.send_port()), Err(NameError::Taken("log".to_owned())));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is in use.
    #[error("the name `{0}` is in use")]
    Taken(String),
    /// The port is of another host.
    #[error("the port is of another host")]
    OtherHost,
    /// The name is longer than a name may be.
    #[error("a name has at most {max} bytes")]
    TooLong {
        /// Bytes.
        max: usize,
    },
}

impl Host {
    /// A namespace of this host. Isolates see it that were given [`Grant::names`](crate::Grant::names) for it.
    #[must_use]
    pub fn names(&self, namespace: impl Into<String>) -> Names {
        Names { links: Arc::clone(self.inner().links()), namespace: namespace.into() }
    }
}

impl Names {
    /// Makes a port known by a name, until it is removed. Entries of isolates go when those end.
    ///
    /// # Errors
    /// [`NameError`] where the name is in use.
    pub fn register<T>(&self, name: &str, port: &SendPort<T>) -> Result<(), NameError> {
        if port.links().number != self.links.number {
            return Err(NameError::OtherHost);
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong { max: NAME_BYTES_MAX });
        }
        let registered = self.links.names.register(&self.namespace, name, port.right().clone(), None);
        registered.map_err(|_| NameError::Taken(name.to_owned()))
    }

    /// The port that is known by a name. That its messages are of type `T` is the caller's word.
    #[must_use]
    pub fn lookup<T>(&self, name: &str) -> Option<SendPort<T>> {
        let right = self.links.names.lookup(&self.namespace, name)?;
        Some(SendPort::new(right, &self.links))
    }

    /// Takes a name away, whoever registered it; says whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        self.links.names.remove(&self.namespace, name, None).is_ok()
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Names").field(&self.namespace).finish()
    }
}
