//! A table against a map from numbers to what they mean.

use std::collections::HashMap;
use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const HANDLES_MAX: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Act {
    Insert {
        token: u64,
    },
    /// Of a number that was given out before, be it freed by now.
    Duplicate {
        at: Index,
    },
    Release {
        at: Index,
    },
    Forged {
        number: u32,
    },
    Clear,
}

#[derive(Default)]
struct Model {
    /// What is in the table: number, token, count.
    living: HashMap<u32, (u64, u32)>,
    given: Vec<u32>,
    is_over: bool,
}

impl Model {
    fn number_of(&self, token: u64) -> Option<u32> {
        self.living.iter().find(|(_, (named, _))| *named == token).map(|(number, _)| *number)
    }

    /// What a number means.
    fn find(&self, number: u32) -> Result<u64, Status> {
        self.living.get(&number).map(|(token, _)| *token).ok_or(Status::BadHandle)
    }

    fn insert(&mut self, token: u64, answer: Result<u32, Status>) {
        match (self.number_of(token), answer) {
            (Some(known), answer) => {
                assert_eq!(answer, Ok(known), "the same object is the same handle");
                self.living.entry(known).and_modify(|(_, count)| *count += 1);
            }
            (None, Ok(number)) => {
                assert!(!self.is_over && self.living.len() < HANDLES_MAX);
                assert!(!self.given.contains(&number), "no number is given twice");
                self.given.push(number);
                self.living.insert(number, (token, 1));
            }
            (None, Err(status)) => {
                assert_eq!(status, Status::TooMany);
                assert!(self.is_over || self.living.len() == HANDLES_MAX);
            }
        }
    }

    fn duplicate(&mut self, number: u32) -> Result<(), Status> {
        let (_, count) = self.living.get_mut(&number).ok_or(Status::BadHandle)?;
        *count += 1;
        Ok(())
    }

    /// The token that comes out, if it was the last.
    fn release(&mut self, number: u32) -> Result<Option<u64>, Status> {
        let (token, count) = self.living.get_mut(&number).ok_or(Status::BadHandle)?;
        *count -= 1;
        let (token, is_last) = (*token, *count == 0);
        if is_last {
            self.living.remove(&number);
        }
        Ok(is_last.then_some(token))
    }
}

fn token_of(object: &Object) -> u64 {
    match object {
        Object::Capability(id) => id.0,
        _ => panic!("only tokens went in"),
    }
}

fn act(table: &mut Table, model: &mut Model, act: Act) {
    let given = |at: Index| (!model.given.is_empty()).then(|| *at.get(&model.given));
    match act {
        Act::Insert { token: id } => model.insert(id, table.insert(token(id))),
        Act::Duplicate { at } => {
            if let Some(number) = given(at) {
                assert_eq!(table.duplicate(number), model.duplicate(number));
            }
        }
        Act::Release { at } => {
            if let Some(number) = given(at) {
                let released = table.release(number).map(|object| object.as_ref().map(token_of));
                assert_eq!(released, model.release(number));
            }
        }
        Act::Forged { number } => assert_eq!(table.find(number).map(token_of), model.find(number)),
        Act::Clear => {
            let objects: HashSet<u64> = table.clear().iter().map(token_of).collect();
            let expected: HashSet<u64> = model.living.drain().map(|(_, (token, _))| token).collect();
            assert_eq!(objects, expected);
            model.is_over = true;
        }
    }
}

/// What must hold after every act.
fn holds(table: &Table, model: &Model) {
    assert_eq!(table.len(), model.living.len());
    let free = if model.is_over { 0 } else { HANDLES_MAX - model.living.len() };
    assert!(table.has_room(free) && !table.has_room(free + 1));
    for number in &model.given {
        assert_eq!(table.find(*number).map(token_of), model.find(*number));
    }
}

fn any_act() -> impl Strategy<Value = Act> {
    let near = (0..6_u32, 0..4_u32).prop_map(|(index, generation)| handle(index, generation));
    prop_oneof![
        6 => (0..6_u64).prop_map(|token| Act::Insert { token }),
        2 => any::<Index>().prop_map(|at| Act::Duplicate { at }),
        8 => any::<Index>().prop_map(|at| Act::Release { at }),
        1 => prop_oneof![near, any::<u32>()].prop_map(|number| Act::Forged { number }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_is_a_map_that_gives_no_number_twice(before in vec(any_act(), 0..200), after in vec(any_act(), 0..10)) {
        let (mut table, mut model) = (Table::new(HANDLES_MAX as u64, 0), Model::default());
        for next in before.into_iter().chain([Act::Clear]).chain(after) {
            act(&mut table, &mut model, next);
            holds(&table, &model);
        }
    }
}
