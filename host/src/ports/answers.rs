//! The answers to a request that has several.

use std::fmt;
use std::time::Duration;

use insula_wire::Answer;
use serde::de::DeserializeOwned;

use super::ReceivePort;
use super::call::{self, CallError};
use crate::isolate::Isolate;
use crate::sync::Arc;
use crate::until;
use crate::world::{Nanos, World};

/// The answers to a request that has any number of them; see [`Service::stream`](crate::Service::stream).
///
/// It is an iterator, which blocks, and has [`next_async`](Answers::next_async) for an executor. It ends when the guest
/// says so. If that cannot come any more, or the time of the request is up, the last item is an error. The guest waits
/// where it is ahead of whoever takes the answers by more than a mailbox holds; dropping this value ends its sends.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{Host, Spawn};
/// let host = Host::builder().build()?;
/// let module = host.load_file("plugin.wasm")?;
/// let words = host.open::<String, String>(&module, Spawn::entry("words"))?;
/// for word in words.stream(&"one two three".to_owned(), Duration::from_secs(1))? {
///     println!("{}", word?);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Answers<A> {
    port: ReceivePort<Answer<A>>,
    isolate: Isolate,
    ends: Nanos,
    over: bool,
}

impl<A> Answers<A> {
    /// Those that come to this port, from whoever has the request of this isolate's.
    pub(crate) fn new(port: ReceivePort<Answer<A>>, isolate: Isolate, ends: Nanos) -> Answers<A> {
        Answers { port, isolate, ends, over: false }
    }

    fn world(&self) -> &Arc<World> {
        &self.isolate.links().world
    }

    /// How long the guest still has.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        Duration::from_nanos(self.ends.saturating_sub(self.world().now()))
    }

    /// What a wait found, as an item; every item but an answer is the last one.
    fn item(&mut self, found: Option<Result<Option<A>, CallError>>) -> Option<Result<A, CallError>> {
        let item = found.unwrap_or(Err(CallError::TimedOut)).transpose();
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}

impl<A: DeserializeOwned> Answers<A> {
    /// The next answer, as a future. Dropping it loses nothing.
    ///
    /// # Errors
    /// As an item of the iterator: [`CallError`] says why no more will come.
    pub async fn next_async(&mut self) -> Option<Result<A, CallError>> {
        if self.over {
            return None;
        }
        let found = until::within(self.world(), self.ends, call::answer(&self.port, &self.isolate)).await;
        self.item(found)
    }
}

impl<A: DeserializeOwned> Iterator for Answers<A> {
    type Item = Result<A, CallError>;

    fn next(&mut self) -> Option<Result<A, CallError>> {
        if self.over {
            return None;
        }
        let found = until::block(self.world(), self.ends, call::answer(&self.port, &self.isolate));
        self.item(found)
    }
}

impl<A> fmt::Debug for Answers<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("isolate", &self.isolate).field("over", &self.over).finish_non_exhaustive()
    }
}
