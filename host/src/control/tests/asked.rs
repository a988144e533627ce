//! Whoever asks an isolate where it is.

use std::task::{Context, Poll};

use super::*;
use crate::control::{At, Call, Found};

fn found(at: At) -> Found {
    Found { at, frames: Vec::new() }
}

/// What has been answered.
fn answer(question: &Question) -> Option<At> {
    match question.poll(&Context::from_waker(Waker::noop())) {
        Poll::Ready(found) => Some(found.at),
        Poll::Pending => None,
    }
}

#[test]
fn it_is_made_to_look_and_answers_all_who_asked_at_once() {
    let control = newborn();
    let (woken, attentive) = bells(&control);
    assert!(matches!(control.end_of_turn(), TurnEnd::Go));
    let asked = [0, 1, 2].map(|_| control.ask().expect("it lives"));
    assert_eq!((woken.rings(), attentive.rings()), (0, 3));
    assert!(matches!(control.end_of_turn(), TurnEnd::Asked { paused: false }));
    control.pause(CapabilityId(10)).expect("there is room");
    assert!(matches!(control.end_of_turn(), TurnEnd::Asked { paused: true }));
    assert_eq!(asked.each_ref().map(|question| answer(question)), [None; 3]);
    let at = At::Call(Some(Call::Receive));
    control.answer(found(at));
    assert_eq!(asked.each_ref().map(|question| answer(question)), [Some(at); 3]);
    assert!(matches!(control.end_of_turn(), TurnEnd::Paused));
}

#[test]
fn a_question_that_is_taken_back_asks_nothing_and_those_of_others_stay() {
    let control = newborn();
    let (one, other) = (control.ask().expect("it lives"), control.ask().expect("it lives"));
    control.stop_asking(&one);
    assert!(control.flags.any(Flags::ASKED));
    control.stop_asking(&other);
    control.stop_asking(&other);
    assert!(!control.flags.any(Flags::ASKED) && matches!(control.end_of_turn(), TurnEnd::Go));
    control.answer(found(At::Code));
    assert_eq!([answer(&one), answer(&other)], [None, None]);
}

#[test]
fn who_is_to_end_ends_and_the_dead_are_not_asked() {
    let control = newborn();
    let question = control.ask().expect("it lives");
    control.end_now(killed());
    assert!(matches!(control.end_of_turn(), TurnEnd::End(_)));
    drop(control.die(killed(), || ()));
    assert!(control.ask().is_none());
    assert_eq!(answer(&question), None, "whoever asked waits for the end as well");
}
