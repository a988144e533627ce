//! Pause and resume.

use super::*;

const OTHER: CapabilityId = CapabilityId(10);

fn goes_on(control: &Control) -> bool {
    match control.end_of_turn() {
        TurnEnd::Go => true,
        TurnEnd::Paused => false,
        TurnEnd::Asked { .. } => panic!("nobody asks it"),
        TurnEnd::End(exit) => panic!("nobody ended it: {exit}"),
    }
}

#[test]
fn s4_1_a_pause_holds_at_the_end_of_the_turn() {
    let control = newborn();
    assert!(goes_on(&control));
    control.pause(OTHER).unwrap();
    assert!(control.flags.any(Flags::PAUSED));
    assert!(!goes_on(&control));
    assert!(!goes_on(&control));
}

#[test]
fn s4_1_the_same_pause_twice_is_one_entry() {
    let control = newborn();
    control.pause(OTHER).unwrap();
    control.pause(OTHER).unwrap();
    assert_eq!(control.state.lock().pauses, [OTHER].into());
    control.resume(OTHER);
    assert!(goes_on(&control));
}

#[test]
fn s4_1_it_goes_on_when_the_set_is_empty() {
    let control = newborn();
    control.pause(OTHER).unwrap();
    control.pause(CapabilityId(11)).unwrap();
    control.resume(OTHER);
    assert!(!goes_on(&control));
    control.resume(CapabilityId(11));
    assert!(goes_on(&control));
    assert!(!control.flags.any(Flags::TURN));
}

#[test]
fn s4_1_resuming_what_is_not_in_the_set_has_no_effect() {
    let control = newborn();
    control.resume(OTHER);
    control.pause(OTHER).unwrap();
    control.resume(CapabilityId(11));
    control.resume(TERMINATE);
    assert!(!goes_on(&control));
    control.resume(OTHER);
    control.resume(OTHER);
    control.pause(OTHER).unwrap();
    assert!(!goes_on(&control), "an earlier resume is not kept");
}

#[test]
fn a_resume_wakes_once_the_set_is_empty() {
    let control = newborn();
    let (woken, attentive) = bells(&control);
    control.resume(OTHER);
    control.pause(OTHER).unwrap();
    control.pause(PAUSE).unwrap();
    control.resume(OTHER);
    assert_eq!(woken.rings(), 1, "who waits notes its first pause");
    control.resume(PAUSE);
    control.resume(PAUSE);
    assert_eq!((woken.rings(), attentive.rings()), (2, 0));
}

#[test]
fn s2_4_a_paused_birth_waits_for_the_pause_capability() {
    let control = Control::new(Cradle { paused: true, ..cradle() });
    assert!(!goes_on(&control));
    control.resume(TERMINATE);
    assert!(!goes_on(&control));
    control.resume(PAUSE);
    assert!(goes_on(&control));
}

#[test]
fn s2_4_a_paused_birth_waits_for_all_other_pauses_too() {
    let control = Control::new(Cradle { paused: true, ..cradle() });
    control.pause(OTHER).unwrap();
    control.pause(PAUSE).unwrap();
    control.resume(PAUSE);
    assert!(!goes_on(&control));
    control.resume(OTHER);
    assert!(goes_on(&control));
}

#[test]
fn the_dead_are_not_paused() {
    let control = newborn();
    control.die(Exit::Returned, || {}).unwrap();
    control.pause(OTHER).unwrap();
    assert!(!control.flags.any(Flags::PAUSED));
    control.resume(OTHER);
}
