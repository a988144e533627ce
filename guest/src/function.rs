//! Calling functions of the embedder's.

use std::fmt;
use std::time::Duration;

use insula_wire::{Answer, FUNCTION_PREFIX};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{CallError, RecvError, RecvTimeoutError, Refused};
use crate::message::Outgoing;
use crate::receive_port::ReceivePort;
use crate::send_port::SendPort;
use crate::service::{Reply, Request};
use crate::{names, time};

/// A function of the embedder's, by the name under which it was given to this isolate: a stub to call it with. That it
/// takes a `Q` and returns an `A` is the caller's word.
///
/// ```no_run
/// use insula_guest::host_function;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let double = host_function::<u64, Result<u64, String>>("double")?;
/// let number = double.call(&12)??; // whether it was called, and what it returned
/// assert_eq!(number, 24);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Denied` where it was not given to this isolate; the reason says what the embedder is to do.
pub fn host_function<Q, A>(name: &str) -> Result<HostFunction<Q, A>, Refused> {
    names::lookup(&format!("{FUNCTION_PREFIX}{name}")).map(HostFunction)
}

/// A function of the embedder's; see [`host_function`]. It is also what the port of an embedder's `Plugin` is for a guest
/// that is sent one: a call of it goes to whichever isolate the plugin has.
///
/// It is a value: cloned, and sent to other isolates, which may call it then too, in their own name: the embedder sees who
/// calls. While a call is under way this isolate waits as for any message, and may be paused, killed and timed out there.
/// When the function panics, the isolate that called it ends.
///
/// ```no_run
/// use insula_guest::{CallError, HostFunction};
///
/// fn price(prices: &HostFunction<String, u64>, of: &str) -> Option<u64> {
///     match prices.call(&of.to_owned()) {
///         Ok(price) => Some(price),
///         Err(CallError::Failed(error)) => panic!("{error}"), // types that differ, an answer that is too large
///         Err(_) => None,
///     }
/// }
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct HostFunction<Q, A>(SendPort<Request<Q, A>>);

impl<Q: Serialize, A: DeserializeOwned> HostFunction<Q, A> {
    /// Calls it, and waits for what it returns.
    ///
    /// # Errors
    /// [`CallError`] says why there is no answer.
    ///
    /// # Panics
    /// When this isolate may have no more ports.
    pub fn call(&self, question: &Q) -> Result<A, CallError> {
        self.call_until(question, time::NEVER)
    }

    /// As [`call`](HostFunction::call), for so long at most. The function goes on.
    ///
    /// # Errors
    /// As there, and [`CallError::TimedOut`].
    ///
    /// # Panics
    /// As there.
    pub fn call_timeout(&self, question: &Q, timeout: Duration) -> Result<A, CallError> {
        self.call_until(question, time::deadline_in(timeout))
    }

    /// As [`call`](HostFunction::call), in a [task](crate::task), where others go on meanwhile.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub async fn call_async(&self, question: &Q) -> Result<A, CallError> {
        let answers = self.ask(question, time::NEVER)?;
        value(answers.recv_async().await)
    }

    fn call_until(&self, question: &Q, deadline: u64) -> Result<A, CallError> {
        let answers = self.ask(question, deadline)?;
        match answers.recv_until(deadline) {
            Err(RecvTimeoutError::TimedOut) => Err(CallError::TimedOut),
            Err(RecvTimeoutError::Failed(error)) => value(Err(error)),
            Ok(answer) => value(Ok(answer)),
        }
    }

    /// Sends the question, and gives the port that its answer comes to.
    fn ask(&self, question: &Q, deadline: u64) -> Result<ReceivePort<Answer<A>>, CallError> {
        let answers = ReceivePort::new();
        let request = Request { reply: Reply::to(answers.send_port()), question };
        self.0.post(Outgoing::encode(&request)?.body(), Some(deadline))?;
        Ok(answers)
    }
}

fn value<A>(answer: Result<Answer<A>, RecvError>) -> Result<A, CallError> {
    match answer {
        Ok(Answer::Value(value)) => Ok(value),
        Ok(Answer::Failed(error)) => Err(CallError::Failed(error)),
        Ok(Answer::End) | Err(RecvError::Unreachable) => Err(CallError::Unanswered),
        Err(error) => Err(CallError::Undecodable(error)),
    }
}

impl<Q, A> fmt::Debug for HostFunction<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostFunction").field(&self.0).finish()
    }
}
