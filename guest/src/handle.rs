//! Handles: numbers that mean something in this isolate's own table, counted by the host.
//!
//! [`Handle`] owns one count and gives it back on drop; every public type that names something of the host's wraps
//! one. In a message a handle is its position in the message's list of capabilities (one byte), and only
//! [`message`](crate::message) knows that list: outside a message a handle refuses to be serialised.

use insula_wire::HandleKind;
use serde::de::{Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::{message, sys};

/// One count of a handle. Equal handles name the same object (semantics 3.5).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Handle(u32);

impl Handle {
    /// Takes over a count that the host gave.
    pub(crate) fn own(number: u32) -> Handle {
        Handle(number)
    }

    /// Counts one more of a handle that somebody owns.
    pub(crate) fn another(number: u32) -> Handle {
        // It fails only for a number that is not in the table: a blob that was sent. The copy is as dead as the first.
        let _ = sys::handles_duplicate(number);
        Handle(number)
    }

    pub(crate) fn number(&self) -> u32 {
        self.0
    }

    pub(crate) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match message::leave(self.0) {
            Some(position) => serializer.serialize_u8(position),
            None => Err(S::Error::custom("a handle can be serialised only in a message, at most 255 in one")),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        kind: HandleKind,
    ) -> Result<Handle, D::Error> {
        let handle = Handle::arrive(u8::deserialize(deserializer)?, kind);
        handle.ok_or_else(|| D::Error::custom("the message holds no such handle here"))
    }

    #[inline(never)]
    fn arrive(position: u8, kind: HandleKind) -> Option<Handle> {
        message::arrive(position).filter(|handle| handle.is(kind))
    }

    fn is(&self, kind: HandleKind) -> bool {
        sys::result(|found| sys::handles_kind_of(self.0, found)) == Ok(kind.code())
    }
}

impl Clone for Handle {
    fn clone(&self) -> Handle {
        Handle::another(self.0)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = sys::handles_drop(self.0);
    }
}

/// A token that is equal to itself only, survives any number of sends, and cannot be made up.
///
/// ```no_run
/// use insula_guest::Capability;
///
/// let (key, other) = (Capability::new(), Capability::new());
/// assert!(key == key.clone() && key != other);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    pub(crate) handle: Handle,
}

impl Capability {
    /// A new one, equal to no other.
    ///
    /// # Panics
    /// When this isolate may hold no more handles.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each one is different, so none is the default")]
    pub fn new() -> Capability {
        crate::report::install_hook();
        match sys::result(|number| sys::handles_create_capability(number)) {
            Ok(number) => Capability { handle: Handle::own(number) },
            Err(status) => panic!("no room for a capability: {status}"),
        }
    }

    pub(crate) fn number(capability: Option<&Capability>) -> u32 {
        capability.map_or(0, |capability| capability.handle.number())
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.handle.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Capability, D::Error> {
        Ok(Capability { handle: Handle::deserialize(deserializer, HandleKind::Capability)? })
    }
}
