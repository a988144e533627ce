//! Whether what was recorded of a run is within the laws. Nothing here knows the host: the records alone are judged.
//!
//! A log is what one observer heard, in the order of hearing, so what is said within one log is ordered for certain, and
//! nothing else is. Where an isolate was ended between saying what it would do and saying what came of it, both are
//! possible, and the judge takes either.

mod control;
mod delivery;
mod ends;
mod errors;
mod exits;
#[cfg(test)]
mod planted;
mod view;

use super::run::Run;
use view::View;

/// What is wrong, each with the name of the law.
pub(super) fn judge(run: &Run) -> Vec<String> {
    let view = View::of(run);
    let mut complaints = run.leaks.iter().map(|leak| format!("nothing is left: {leak}")).collect();
    let laws = [
        view::honest,
        exits::exactly_one,
        exits::nothing_after_it,
        delivery::accepted_is_delivered_or_dropped,
        delivery::one_order_across_ports,
        delivery::own_ports_answer_truly,
        delivery::unreachable_is_empty,
        delivery::data_before_the_notice,
        errors::told_once_and_never_silent,
        errors::before_the_exit,
        control::pings_are_answered_once,
        control::pauses_hold,
        ends::nobody_dies_without_a_cause,
        ends::mains_exit_is_true,
        ends::who_sleeps_cannot_wake,
    ];
    laws.iter().for_each(|law| law(&view, &mut complaints));
    complaints
}
