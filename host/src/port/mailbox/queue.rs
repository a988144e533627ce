//! A queue in pieces: one that grows long moves nothing, and holds no room for as many again.

use std::collections::VecDeque;

/// Elements of a piece that follows the first.
const PIECE: usize = 512;

/// Room of a queue that it may keep unused: there may be as many queues as a guest has ports, and nobody is charged.
const KEPT: usize = 8;

/// First in, first out.
pub(super) struct Queue<T> {
    /// The oldest. Most queues are no longer than this.
    first: VecDeque<T>,
    /// The others, none of them empty.
    rest: VecDeque<VecDeque<T>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { first: VecDeque::new(), rest: VecDeque::new() }
    }
}

impl<T> Queue<T> {
    pub(super) fn is_empty(&self) -> bool {
        // While there are others, the first is not empty.
        self.first.is_empty()
    }

    pub(super) fn front(&self) -> Option<&T> {
        self.first.front()
    }

    pub(super) fn push_back(&mut self, element: T) {
        if self.rest.is_empty() && self.first.len() < PIECE {
            self.first.push_back(element);
        } else {
            self.push_to_rest(element);
        }
    }

    fn push_to_rest(&mut self, element: T) {
        match self.rest.back_mut() {
            Some(last) if last.len() < PIECE => last.push_back(element),
            Some(_) | None => {
                let room = if self.rest.is_empty() { KEPT } else { PIECE };
                let mut piece = VecDeque::with_capacity(room);
                piece.push_back(element);
                self.rest.push_back(piece);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let element = self.first.pop_front();
        self.advance();
        if self.first.capacity() > KEPT && self.first.len() <= self.first.capacity() / 4 {
            self.shrink();
        }
        element
    }

    /// Gives unused room back. Where whole pieces follow, the first is about to go anyway.
    #[cold]
    fn shrink(&mut self) {
        if self.rest.len() < 2 {
            self.first.shrink_to((2 * self.first.len()).max(KEPT));
            self.rest.shrink_to(self.rest.len());
        }
    }

    /// Takes the element at this place out. Those near the front are cheap.
    pub(super) fn remove(&mut self, at: usize) -> Option<T> {
        let mut before = self.first.len();
        if at < before {
            let element = self.first.remove(at);
            self.advance();
            return element;
        }
        for (index, piece) in self.rest.iter_mut().enumerate() {
            if at < before + piece.len() {
                let element = piece.remove(at - before);
                if piece.is_empty() {
                    self.rest.remove(index);
                }
                return element;
            }
            before += piece.len();
        }
        None
    }

    /// Where the first piece is used up, the next one is the first.
    fn advance(&mut self) {
        if self.first.is_empty()
            && let Some(next) = self.rest.pop_front()
        {
            self.first = next;
        }
    }

    /// The elements, from the oldest on.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(u16),
        Pop(u16),
        Remove(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..2_000_u16).prop_map(Step::Push),
            (1..2_000_u16).prop_map(Step::Pop),
            (0..3_000_usize).prop_map(Step::Remove),
        ]
    }

    #[test]
    fn a_queue_that_is_drained_holds_little_room() {
        let mut queue = Queue::default();
        (0..=PIECE).for_each(|n| queue.push_back(n));
        for left in (0..=PIECE).rev() {
            queue.pop_front();
            let room = queue.first.capacity() + queue.rest.iter().map(VecDeque::capacity).sum::<usize>();
            assert!(room <= (4 * left).max(2 * KEPT), "{room} for {left}");
        }
    }

    proptest! {
        #[test]
        fn it_does_as_one_piece_does(steps in prop::collection::vec(step(), 0..40)) {
            let (mut queue, mut model) = (Queue::default(), VecDeque::new());
            let mut next = 0_u32;
            for step in steps {
                match step {
                    Step::Push(times) => for _ in 0..times {
                        queue.push_back(next);
                        model.push_back(next);
                        next += 1;
                    },
                    Step::Pop(times) => for _ in 0..times {
                        prop_assert_eq!(queue.pop_front(), model.pop_front());
                    },
                    Step::Remove(at) => prop_assert_eq!(queue.remove(at), model.remove(at)),
                }
                prop_assert_eq!(queue.is_empty(), model.is_empty());
                prop_assert_eq!(queue.front(), model.front());
                prop_assert!(queue.iter().eq(model.iter()));
                prop_assert!(queue.rest.iter().all(|piece| !piece.is_empty() && piece.capacity() <= 2 * PIECE));
            }
        }
    }
}
