//! How deep a value may be nested, and what counts.
//!
//! serde walks a value by recursion, so the depth of a message is stack of whoever sends or receives it. What is
//! bounded here is bounded for derived and hand-written impls alike: none can go down without the codec.

use super::Cause;

/// Levels of nesting that a message may have.
///
/// A level is a struct, tuple, sequence or map, or a `Some`, newtype or variant with what it directly holds: a list node
/// `Node { next: Option<Box<Node>> }` is one level, and so is a variant that holds a `Vec`. A value without parts is none.
pub const DEPTH_MAX: usize = 512;

/// What an error says about a message that has more.
pub const TOO_DEEP: &str = "the message is nested deeper than 512 levels";

/// How much deeper a value may go from here.
#[derive(Clone, Copy)]
pub(super) struct Level {
    left: u16,
    wrapped: bool,
}

impl Level {
    /// Outside of the outermost value.
    pub(super) const TOP: Level = Level { left: DEPTH_MAX as u16, wrapped: false };

    /// Inside of a `Some`, a newtype or a variant that holds one value.
    #[inline]
    pub(super) fn wrapper(self) -> Result<Level, Cause> {
        let left = self.left.checked_sub(1).ok_or(Cause::TooDeep)?;
        Ok(Level { left, wrapped: true })
    }

    /// Inside of a struct, a tuple, a sequence or a map; with a wrapper directly around it, that was the level.
    #[inline]
    pub(super) fn container(self) -> Result<Level, Cause> {
        if self.wrapped {
            Ok(Level { wrapped: false, ..self })
        } else {
            Ok(Level { wrapped: false, ..self.wrapper()? })
        }
    }
}
