//! What travels beside the bytes of a message: what its receiver is given, and where in a trace it was sent.

use std::ops::Deref;

use super::Attachment;
use crate::trace_context::TraceContext;

/// The attachments of a message, and its trace context. One word: most messages have neither.
#[derive(Clone, Default)]
pub(crate) struct Attachments(Option<Box<Beside>>);

#[derive(Clone)]
struct Beside {
    list: List,
    context: Option<TraceContext>,
}

/// A request has one, the port for its answer.
#[derive(Clone)]
enum List {
    One(Attachment),
    Several(Vec<Attachment>),
}

/// The attachments, one after another.
type Each = std::iter::Chain<std::option::IntoIter<Attachment>, std::vec::IntoIter<Attachment>>;

impl Attachments {
    /// The same, within this context of a trace.
    pub(crate) fn traced(mut self, context: TraceContext) -> Attachments {
        let none = || Box::new(Beside { list: List::Several(Vec::new()), context: None });
        self.0.get_or_insert_with(none).context = Some(context);
        self
    }

    /// Whether there are none, and no trace context either.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the message was sent in a trace.
    #[inline]
    pub(crate) fn is_traced(&self) -> bool {
        self.0.as_ref().is_some_and(|beside| beside.context.is_some())
    }

    /// Where in a trace the message was sent.
    #[inline]
    pub(crate) fn trace_context(&self) -> Option<TraceContext> {
        self.0.as_ref()?.context
    }
}

impl Deref for Attachments {
    type Target = [Attachment];

    #[inline]
    fn deref(&self) -> &[Attachment] {
        match &self.0 {
            None => &[],
            Some(beside) => match &beside.list {
                List::One(attachment) => std::slice::from_ref(attachment),
                List::Several(attachments) => attachments,
            },
        }
    }
}

impl IntoIterator for Attachments {
    type Item = Attachment;
    type IntoIter = Each;

    fn into_iter(self) -> Each {
        let (one, several) = match self.0.map(|beside| beside.list) {
            None => (None, Vec::new()),
            Some(List::One(attachment)) => (Some(attachment), Vec::new()),
            Some(List::Several(attachments)) => (None, attachments),
        };
        one.into_iter().chain(several)
    }
}

impl From<Vec<Attachment>> for Attachments {
    #[inline]
    fn from(mut list: Vec<Attachment>) -> Attachments {
        let list = match list.len() {
            0 => return Attachments::default(),
            1 => list.pop().map_or(List::Several(Vec::new()), List::One),
            _ => List::Several(list),
        };
        Attachments(Some(Box::new(Beside { list, context: None })))
    }
}

impl<const N: usize> From<[Attachment; N]> for Attachments {
    fn from(list: [Attachment; N]) -> Attachments {
        Attachments::from(Vec::from(list))
    }
}

impl FromIterator<Attachment> for Attachments {
    fn from_iter<I: IntoIterator<Item = Attachment>>(list: I) -> Attachments {
        Attachments::from(list.into_iter().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::CapabilityId;

    fn numbers(attachments: impl IntoIterator<Item = Attachment>) -> Vec<u64> {
        let number = |attachment| match attachment {
            Attachment::Capability(id) => id.0,
            _ => unreachable!("only capabilities are put in"),
        };
        attachments.into_iter().map(number).collect()
    }

    #[test]
    fn however_many_there_are_they_come_out_in_their_order() {
        for many in 0..4 {
            let attachments: Attachments = (0..many).map(|id| Attachment::Capability(CapabilityId(id))).collect();
            assert_eq!((attachments.len(), attachments.is_empty()), (many as usize, many == 0));
            let expected: Vec<u64> = (0..many).collect();
            assert_eq!(numbers(attachments.iter().cloned()), expected);
            assert_eq!(numbers(attachments), expected);
        }
    }

    #[test]
    fn a_context_is_beside_what_a_receiver_is_given() {
        let [context, other] = [8, 9].map(|span| TraceContext::new(7, span, true).unwrap());
        for list in [vec![], vec![Attachment::Capability(CapabilityId(1))]] {
            let plain = Attachments::from(list.clone());
            assert_eq!((plain.len(), plain.trace_context()), (list.len(), None));
            let traced = plain.traced(context);
            assert_eq!((traced.len(), traced.trace_context()), (list.len(), Some(context)));
            assert_eq!(traced.clone().trace_context(), Some(context));
            assert_eq!(traced.traced(other).trace_context(), Some(other));
        }
        assert_eq!(size_of::<Attachments>(), size_of::<usize>());
    }
}
