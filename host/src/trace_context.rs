//! Where somebody is in a trace, as the W3C's Trace Context writes it, so that it passes through other systems.

use std::fmt;
use std::str::FromStr;

/// A place in a distributed trace: the trace, the span of it that is open there, and whether it is recorded.
///
/// It travels with messages, beside what they say: an isolate that took a message sends and spawns within the context of
/// that message, until it takes the next one. An embedder gives one along, or reads the one that came, with
/// [`Traced`](crate::Traced) and [`Caller::trace_context`](crate::Caller::trace_context). As text it is what the header
/// `traceparent` holds, of version 00.
///
/// ```
/// use insula::TraceContext;
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context: TraceContext = header.parse()?;
/// assert_eq!(context.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
/// assert!(context.is_sampled());
/// assert_eq!(context.to_string(), header);
/// # Ok::<(), insula::NotTraceContext>(())
/// ```
#[derive(Clone, Copy)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    is_sampled: bool,
    /// Whether the trace is one that a host began since spans were observed; no part of what it is.
    is_begun_here: bool,
}

/// The bit of the flags that says that a trace is recorded.
const SAMPLED: u8 = 1;

/// Characters of the text: version, trace, span, flags, and what is between them.
const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

impl TraceContext {
    /// The place in this trace, within this span of it. None where a number is 0, which the standard has as no trace and
    /// no span.
    #[must_use]
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> Option<TraceContext> {
        (trace_id != 0 && span_id != 0).then_some(TraceContext { trace_id, span_id, is_sampled, is_begun_here: false })
    }

    /// The trace: 16 bytes, as a number whose first byte is the highest.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The span that is open here, of 8 bytes.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// Whether whoever began the trace wants it recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The same trace, within another span of it, which is not 0.
    pub(crate) fn within(self, span_id: u64) -> TraceContext {
        TraceContext { span_id: span_id.max(1), ..self }
    }

    /// The beginning of a trace of these numbers, recorded.
    pub(crate) fn root(trace_id: u128, span_id: u64) -> TraceContext {
        TraceContext { trace_id: trace_id.max(1), span_id: span_id.max(1), is_sampled: true, is_begun_here: true }
    }

    /// Whether a host began this trace, for whoever observes spans.
    pub(crate) fn is_begun_here(&self) -> bool {
        self.is_begun_here
    }

    fn parts(&self) -> (u128, u64, bool) {
        (self.trace_id, self.span_id, self.is_sampled)
    }
}

impl PartialEq for TraceContext {
    fn eq(&self, other: &TraceContext) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for TraceContext {}

impl std::hash::Hash for TraceContext {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

/// As the header `traceparent` has it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.is_sampled { SAMPLED } else { 0 };
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id)
    }
}

/// A text that is no trace context.
///
/// ```
/// use insula::TraceContext;
/// assert!("00-0-0-00".parse::<TraceContext>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTraceContext;

impl fmt::Display for NotTraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no traceparent: that is 00-, 32 hexadecimal digits, -, 16, -, 2; in lower case, not all 0")
    }
}

impl std::error::Error for NotTraceContext {}

/// Of versions to come the parts of version 00 are read, as the standard asks.
impl FromStr for TraceContext {
    type Err = NotTraceContext;

    fn from_str(text: &str) -> Result<TraceContext, NotTraceContext> {
        let head = text.get(..LENGTH).ok_or(NotTraceContext)?;
        let is_hex = |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let mut parts = head.split('-');
        let mut part = |length| parts.next().filter(|part| part.len() == length).filter(is_hex).ok_or(NotTraceContext);
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let more = &text[LENGTH..];
        let may_have_more = version != "00" && more.starts_with('-');
        if version == "ff" || !(more.is_empty() || may_have_more) {
            return Err(NotTraceContext);
        }
        let trace_id = u128::from_str_radix(trace, 16).map_err(|_| NotTraceContext)?;
        let span_id = u64::from_str_radix(span, 16).map_err(|_| NotTraceContext)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| NotTraceContext)?;
        TraceContext::new(trace_id, span_id, flags & SAMPLED != 0).ok_or(NotTraceContext)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_standard_has_is_read() {
        let read = |text: &str| text.parse::<TraceContext>();
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(read(good).map(|context| context.to_string()), Ok(good.to_owned()));
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what the future holds";
        assert!(read(later).is_ok_and(|context| context.is_sampled()));
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b-\u{e9}1",
        ] {
            assert_eq!(read(bad), Err(NotTraceContext), "{bad}");
        }
    }
}
