//! [`Traced`]: a message together with where in a trace it was sent.

use std::any::type_name;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::port::codec;
use crate::trace_context::TraceContext;

/// A message with its trace context. On the way it is a `T`: the other side may know nothing of traces.
///
/// An embedder sends one to have what follows within a trace of its own, as a request of HTTP's that came with a
/// `traceparent`; and receives one to find out in which trace an isolate sent it. It stands for the whole message, not
/// inside of one: of several in one message, the context of the last one counts.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, SendPort, TraceContext, Traced};
/// let host = Host::builder().isolates(1).build()?;
/// let port = host.receive_port::<Traced<u32>>();
/// let context = TraceContext::new(7, 1, true);
/// port.send_port().send(Traced { message: 3, context })?;
/// assert_eq!(port.recv()?, Traced { message: 3, context });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traced<T> {
    /// The message.
    pub message: T,
    /// Where it was sent. None where the sender was in no trace.
    pub context: Option<TraceContext>,
}

impl<T> Traced<T> {
    /// A message that is sent here in a trace.
    pub fn new(message: T, context: TraceContext) -> Traced<T> {
        Traced { message, context: Some(context) }
    }
}

impl<T: Serialize> Serialize for Traced<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(context) = self.context {
            codec::trace(context);
        }
        self.message.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Traced<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Traced<T>, D::Error> {
        Ok(Traced { context: codec::traced(), message: T::deserialize(deserializer)? })
    }
}

/// The name of the type that a message has on the way.
pub(super) fn on_the_way<T: ?Sized>() -> &'static str {
    let (name, of_unit) = (type_name::<T>(), type_name::<Traced<()>>());
    let around = of_unit.split_once("()");
    let inner = around.and_then(|(before, after)| name.strip_prefix(before)?.strip_suffix(after));
    inner.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_way_it_is_the_message_alone() {
        assert_eq!(on_the_way::<Traced<(u32, Vec<u8>)>>(), type_name::<(u32, Vec<u8>)>());
        assert_eq!(on_the_way::<Option<Traced<u32>>>(), type_name::<Option<Traced<u32>>>());
        assert_eq!(on_the_way::<str>(), "str");
    }
}
