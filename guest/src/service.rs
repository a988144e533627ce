//! Serving requests of the embedder.

use std::any::type_name;
use std::fmt::{self, Display};
use std::marker::PhantomData;

use insula_wire::{Answer, RemoteError};
use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{RecvError, SendError};
use crate::message::Outgoing;
use crate::receive_port::ReceivePort;
use crate::send_port::SendPort;
use crate::sys;

/// The end by which an isolate serves requests `Q` with answers `A`. The embedder has the other one, a `Service`.
///
/// It is what the isolate is born with, alone, or as the second of a pair after the message of the embedder's `Spawn`.
/// For a plain function there is [`export_service!`](crate::export_service).
///
/// ```no_run
/// use insula_guest::ServiceEnd;
///
/// fn run((greeting, end): (String, ServiceEnd<String, String>)) {
///     let mut guests = 0;
///     end.serve(|name| {
///         guests += 1;
///         format!("{greeting}, {name}; you are guest {guests}")
///     });
/// }
/// insula_guest::export!(run as "greeter");
/// # fn main() {}
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ServiceEnd<Q, A>(SendPort<SendPort<Request<Q, A>>>);

/// A request: a question, and where its answer goes.
///
/// ```no_run
/// use insula_guest::{Request, ServiceEnd};
///
/// /// Answers every question with as many numbers.
/// fn run(end: ServiceEnd<u32, u32>) {
///     for Request { question, reply } in end.open() {
///         if (0..question).try_for_each(|number| reply.send(number)).is_ok() {
///             reply.end();
///         }
///     }
/// }
/// insula_guest::export!(run as "counts");
/// # fn main() {}
/// ```
#[derive(Debug, Serialize)]
#[serde(bound(serialize = "Q: Serialize"))]
pub struct Request<Q, A> {
    /// Where the answer goes. It is the first capability of the message.
    pub reply: Reply<A>,
    /// What is asked.
    pub question: Q,
}

/// Whether `T` is a [`Request`]: one that does not decode is its sender's mistake, and no error of whoever loops over
/// them.
pub(crate) fn is_request<T: ?Sized>() -> bool {
    type_name::<T>().starts_with(concat!(module_path!(), "::Request<"))
}

/// Whether an error is no more than a request that cannot be taken, as [`is_request`] says; it is gone then, and whoever
/// asked learns that there is no answer.
#[cold]
pub(crate) fn is_forgiven<T: ?Sized>(error: &RecvError, port: u32) -> bool {
    if matches!(error, RecvError::TooMany) && is_request::<T>() {
        let _ = sys::ports_discard(port);
        return true;
    }
    matches!(error, RecvError::Undecodable(_)) && is_request::<T>()
}

/// The port comes first, so a question that is no `Q` is answered with that.
impl<'de, Q: Deserialize<'de>, A> Deserialize<'de> for Request<Q, A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Request<Q, A>, D::Error> {
        struct Parts<Q, A>(PhantomData<(Q, A)>);

        impl<'de, Q: Deserialize<'de>, A> Visitor<'de> for Parts<Q, A> {
            type Value = Request<Q, A>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a request")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut parts: S) -> Result<Request<Q, A>, S::Error> {
                let missing = |parts| S::Error::invalid_length(parts, &"a request");
                let reply: Reply<A> = parts.next_element()?.ok_or_else(|| missing(0))?;
                match parts.next_element() {
                    Ok(question) => Ok(Request { reply, question: question.ok_or_else(|| missing(1))? }),
                    Err(error) => {
                        reply.refuse(type_name::<Q>());
                        Err(error)
                    }
                }
            }
        }

        deserializer.deserialize_struct("Request", &["reply", "question"], Parts(PhantomData))
    }
}

/// Where the answer to a request goes: one, or several and their end. It is a value that can be sent, so that another
/// isolate may answer; when nobody has it any more, whoever asked learns that there will be no answer.
///
/// ```no_run
/// use insula_guest::{Request, ServiceEnd};
///
/// fn run(end: ServiceEnd<String, u64>) {
///     for Request { question, reply } in end.open() {
///         match question.parse::<u64>() {
///             Ok(number) => reply.answer(number * number).ok(),
///             Err(error) => reply.fail(error).ok(),
///         };
///     }
/// }
/// insula_guest::export!(run as "squares");
/// # fn main() {}
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Reply<A>(Option<SendPort<Answer<A>>>);

impl<Q: DeserializeOwned, A> ServiceEnd<Q, A> {
    /// The requests, as a port: to loop over, to [listen](ReceivePort::listen) to, to await, with several in hand at once
    /// if that is better. It ends when the embedder has dropped its `Service`.
    ///
    /// A question that is no `Q`, or that holds more than there are numbers for, is the mistake of whoever asked, who learns
    /// that there is no answer: loops, listeners and streams go on with the next one. A single receive says that it came.
    ///
    /// # Panics
    /// When this isolate may have no more ports.
    #[must_use]
    pub fn open(self) -> ReceivePort<Request<Q, A>> {
        let requests = ReceivePort::new();
        // Where nobody awaits this any more, the port is one that nobody can send to, and says so.
        self.0.send(requests.send_port()).ok();
        requests
    }

    /// Answers one request after another with what `answer` returns, until nobody can ask any more. An answer that cannot
    /// be sent is told to whoever asked as a failure.
    ///
    /// # Panics
    /// As [`open`](ServiceEnd::open).
    pub fn serve(self, mut answer: impl FnMut(Q) -> A)
    where
        A: Serialize,
    {
        for Request { question, reply } in self.open() {
            // Nobody may be left who waits for it.
            reply.answer(answer(question)).ok();
        }
    }
}

impl<A> Reply<A> {
    pub(crate) fn to(port: SendPort<Answer<A>>) -> Reply<A> {
        Reply(Some(port))
    }

    /// Whether anybody asked for an answer; what is sent for a request that wants none goes nowhere.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Says that no more answers will come.
    pub fn end(self)
    where
        A: Serialize,
    {
        self.post(&Answer::End).ok();
    }

    /// Says why there is no answer.
    ///
    /// # Errors
    /// As [`send`](Reply::send).
    pub fn fail(self, reason: impl Display) -> Result<(), SendError>
    where
        A: Serialize,
    {
        self.post(&Answer::Failed(RemoteError { message: reason.to_string(), stack: String::new() }))
    }

    /// Says that the question is no such thing.
    #[cold]
    fn refuse(&self, wanted: &str) {
        let refused = RemoteError { message: format!("the question is no {wanted}"), stack: String::new() };
        let refused = Outgoing::encode(&Answer::<()>::Failed(refused));
        if let (Some(port), Ok(refused)) = (&self.0, refused) {
            // Nobody may be left who waits for it.
            port.send_outgoing(&refused).ok();
        }
    }

    fn post(&self, answer: &Answer<A>) -> Result<(), SendError>
    where
        A: Serialize,
    {
        self.0.as_ref().map_or(Ok(()), |port| port.send_ref(answer))
    }
}

impl<A: Serialize> Reply<A> {
    /// The one answer. Where it cannot be sent, whoever asked is told why.
    ///
    /// # Errors
    /// [`SendError::Closed`] where nobody waits for it any more; else as [`SendPort::send`].
    pub fn answer(self, answer: A) -> Result<(), SendError> {
        let sent = self.send(answer);
        match &sent {
            Ok(()) | Err(SendError::Closed) => {}
            Err(error) => drop(self.fail(format_args!("the answer was not sent: {error}"))),
        }
        sent
    }

    /// One of several answers. It waits for room where whoever asked is behind.
    ///
    /// # Errors
    /// [`SendError::Closed`] where nobody waits for them any more; else as [`SendPort::send`].
    pub fn send(&self, answer: A) -> Result<(), SendError> {
        self.post(&Answer::Value(answer))
    }
}

/// What an export does that serves with a function.
#[doc(hidden)]
pub fn enter_service<F, Q, A>(answer: F)
where
    F: Fn(Q) -> A,
    Q: DeserializeOwned,
    A: Serialize,
{
    crate::enter_export(|end: ServiceEnd<Q, A>| end.serve(&answer));
}

/// Gives a function to embedders as a service: `Host::open(&module, Spawn::entry("score"))` there spawns an isolate that
/// answers each call with what the function returns, one after another.
///
/// The function takes the question and returns the answer; an error that it returns comes back as it is, inside of the
/// answer. The name is one lower-case word.
///
/// ```no_run
/// fn score(text: String) -> Result<u64, String> {
///     text.lines().map(|line| line.parse::<u64>().map_err(|error| error.to_string())).sum()
/// }
/// insula_guest::export_service!(score as "score");
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_service {
    ($entry:path as $name:literal) => {
        $crate::__export!($crate::enter_service, $entry, $name);
    };
}
