//! What can go wrong with a value or with bytes, and where.

#[cfg(feature = "paths")]
use alloc::{borrow::ToOwned as _, boxed::Box, string::String, string::ToString as _};
use core::fmt;

use super::level::TOO_DEEP;

/// A value that could not be encoded, or bytes that are not such a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub cause: Cause,
    /// How many bytes of the message were in order.
    pub position: usize,
}

/// What is wrong with a value or with bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// It is nested deeper than [`DEPTH_MAX`](super::DEPTH_MAX) levels.
    TooDeep,
    /// The value's type refuses.
    Refused(Unsendable),
    /// The encoding has no place for it.
    Encoding(postcard::Error),
}

/// Which part of a value cannot be sent, and why.
///
/// Both are known where the feature `paths` is on; else this holds nothing, and costs nothing.
///
/// ```
/// use insula_wire::codec::Unsendable;
///
/// fn tell(unsendable: &Unsendable) {
///     println!("{unsendable}"); // `jobs[2].callback: already mutably borrowed`, or that something cannot be sent
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsendable {
    #[cfg(feature = "paths")]
    place: Option<Box<Place>>,
}

#[cfg(feature = "paths")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    path: String,
    reason: String,
}

impl Unsendable {
    /// The way to the part that refused, as one would write it in Rust: `jobs[2].callback`. Empty for the value itself.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        #[cfg(feature = "paths")]
        return self.place.as_ref().map(|place| place.path.trim_start_matches('.'));
        #[cfg(not(feature = "paths"))]
        None
    }

    /// What the part says.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        #[cfg(feature = "paths")]
        return self.place.as_ref().map(|place| place.reason.as_str());
        #[cfg(not(feature = "paths"))]
        None
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path(), self.reason()) {
            (Some(""), Some(reason)) => f.write_str(reason),
            (Some(path), Some(reason)) => write!(f, "{path}: {reason}"),
            _ => fmt::Display::fmt(&crate::Status::Unsendable, f),
        }
    }
}

/// A step of a path.
#[cfg_attr(not(feature = "paths"), expect(dead_code, reason = "nobody reads a path that is not kept"))]
pub(super) enum Step<'a> {
    /// A field, a variant, or a position in a tuple.
    Name(&'a dyn fmt::Display),
    /// A position in a sequence, or a key of a map.
    Index(&'a dyn fmt::Display),
}

impl Cause {
    /// What is wrong with a value, as a reason not to send it.
    ///
    /// No `From`: whoever has an [`Unsendable`] would see the encoding's own error by it.
    #[must_use]
    pub fn into_unsendable(self) -> Unsendable {
        match self {
            Cause::Refused(unsendable) => unsendable,
            #[cfg(feature = "paths")]
            other => Unsendable { place: Some(Box::new(Place { path: String::new(), reason: other.to_string() })) },
            #[cfg(not(feature = "paths"))]
            _ => Unsendable {},
        }
    }

    /// The same, seen from one step further out. Depth has no path: it would be hundreds of steps.
    #[cfg(feature = "paths")]
    #[cold]
    pub(super) fn within(self, step: &Step<'_>) -> Cause {
        let mut place = match self {
            Cause::TooDeep => return self,
            Cause::Refused(Unsendable { place }) => place.unwrap_or_default(),
            Cause::Encoding(error) => Box::new(Place { path: String::new(), reason: error.to_string() }),
        };
        let step = match step {
            Step::Name(name) => alloc::format!(".{name}"),
            Step::Index(index) => alloc::format!("[{index}]"),
        };
        place.path = step + &place.path;
        Cause::Refused(Unsendable { place: Some(place) })
    }

    #[cfg(not(feature = "paths"))]
    #[inline]
    pub(super) fn within(self, _: &Step<'_>) -> Cause {
        self
    }

    #[cfg(feature = "paths")]
    fn refused(reason: impl fmt::Display) -> Cause {
        let place = Place { path: "".to_owned(), reason: reason.to_string() };
        Cause::Refused(Unsendable { place: Some(Box::new(place)) })
    }

    #[cfg(not(feature = "paths"))]
    fn refused(_reason: impl fmt::Display) -> Cause {
        Cause::Refused(Unsendable {})
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::TooDeep => f.write_str(TOO_DEEP),
            Cause::Refused(unsendable) => unsendable.fmt(f),
            Cause::Encoding(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl core::error::Error for Cause {}

impl core::error::Error for Error {}

impl From<postcard::Error> for Cause {
    fn from(error: postcard::Error) -> Cause {
        Cause::Encoding(error)
    }
}

impl serde::ser::Error for Cause {
    fn custom<T: fmt::Display>(reason: T) -> Cause {
        Cause::refused(reason)
    }
}

/// Bytes that are not of a type say where they are not, and not why: the texts of serde would bring the formatting of
/// floats into every guest.
impl serde::de::Error for Cause {
    fn custom<T: fmt::Display>(_reason: T) -> Cause {
        Cause::Refused(Unsendable::default())
    }
}
