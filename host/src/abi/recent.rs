//! The ports that a guest used last, by handle, so that its next call finds them without a lock.
//!
//! A number names one object for ever, since a slot of the handle table moves on when it is freed. So an entry can be
//! wrong only after the guest's own `drop`, which forgets it here.

/// A few entries, each handle at one place.
#[derive(Debug)]
pub(crate) struct Recent<T, const N: usize>([Option<(u32, T)>; N]);

impl<T, const N: usize> Default for Recent<T, N> {
    fn default() -> Recent<T, N> {
        Recent(std::array::from_fn(|_| None))
    }
}

impl<T, const N: usize> Recent<T, N> {
    /// What this handle was used for.
    pub(crate) fn get(&self, handle: u32) -> Option<&T> {
        self.0[handle as usize % N].as_ref().filter(|(known, _)| *known == handle).map(|(_, port)| port)
    }

    /// Remembers it, and forgets what was in its place.
    pub(crate) fn put(&mut self, handle: u32, used: T) {
        self.0[handle as usize % N] = Some((handle, used));
    }

    /// The guest drops the handle.
    pub(crate) fn forget(&mut self, handle: u32) {
        if self.get(handle).is_some() {
            self.0[handle as usize % N] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_found_until_it_is_dropped_or_another_takes_its_place() {
        let mut recent = Recent::<&str, 2>::default();
        recent.put(1, "one");
        recent.put(2, "two");
        recent.put(3, "three");
        assert_eq!([1, 2, 3].map(|handle| recent.get(handle).copied()), [None, Some("two"), Some("three")]);
        recent.forget(4);
        recent.forget(3);
        assert_eq!([2, 3].map(|handle| recent.get(handle).copied()), [Some("two"), None]);
    }
}
