//! Exactly one exit for each birth and listener, and nothing after it.

use super::view::{Step, View};
use crate::random::language::{Act, Name, Outcome, Record, error_text};
use crate::random::run::Heard;

/// What a listener asked for, in order.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Add { number: u32, at: usize },
    Remove,
}

/// Exit notices are as asked for: in the isolate's own log, in the logs of others, at ports of others.
pub(super) fn exactly_one(view: &View<'_>, complaints: &mut Vec<String>) {
    for who in view.labels() {
        let born = view.is_born(who);
        for to in view.labels() {
            let notices = view.log(to).iter().enumerate();
            let heard = notices.filter_map(|(at, heard)| match heard {
                Heard::Exit(Record::Gone { who: gone, number }) if *gone == who => Some((at, *number)),
                _ => None,
            });
            let heard: Vec<(usize, u32)> = heard.collect();
            let place = format!("log {to}");
            if born == Some(false) {
                if !heard.is_empty() {
                    complaints.push(format!("no exit of the unborn: isolate {who} told {place}"));
                }
                continue;
            }
            let asked = |step: &Step<'_>| match step.act {
                Act::ListenExit { whom, number } if *whom == who => Some(Asked::Add { number: *number, at: step.at }),
                Act::ForgetExit { whom } if *whom == who => Some(Asked::Remove),
                _ => None,
            };
            let acts = acts(view, to, asked);
            let begins = (who == to).then_some(0);
            let mut expected = expected(&acts, begins, who == to);
            if born.is_none() {
                expected.push(Vec::new());
            }
            judge(who, &place, &heard, &expected, complaints);
        }
        at_ports(view, who, complaints);
    }
}

/// What an isolate asked for; what it did not live to finish is told apart.
struct Acts {
    certain: Vec<Asked>,
    perhaps: Option<Asked>,
}

fn acts(view: &View<'_>, by: u32, asked: impl Fn(&Step<'_>) -> Option<Asked>) -> Acts {
    let steps = &view.life(by).steps;
    let of = |done: bool| steps.iter().filter(move |step| if done { step.is_done() } else { step.outcome.is_none() });
    Acts { certain: of(true).filter_map(&asked).collect(), perhaps: of(false).find_map(&asked) }
}

/// All that may be heard, by where in the order of the asking the death fell.
fn expected(acts: &Acts, begins: Option<u32>, is_itself: bool) -> Vec<Vec<(usize, u32)>> {
    let mut orders = vec![acts.certain.clone()];
    if let Some(perhaps) = acts.perhaps {
        orders.push(acts.certain.iter().copied().chain([perhaps]).collect());
    }
    let mut found = Vec::new();
    for order in orders {
        // The dead ask for nothing, so whoever asks about itself does so before its death.
        let first = if is_itself { order.len() } else { 0 };
        for death in first..=order.len() {
            let mut registered = begins.map(|number| (0, number));
            for asked in &order[..death] {
                registered = match asked {
                    Asked::Add { number, at } => Some((*at, *number)),
                    Asked::Remove => None,
                };
            }
            let late = order[death..].iter().filter_map(|asked| match asked {
                Asked::Add { number, at } => Some((*at, *number)),
                Asked::Remove => None,
            });
            found.push(registered.into_iter().chain(late).collect());
        }
    }
    found
}

fn judge(who: u32, place: &str, heard: &[(usize, u32)], expected: &[Vec<(usize, u32)>], complaints: &mut Vec<String>) {
    let fits = |expected: &Vec<(usize, u32)>| {
        let each = |((at, number), (since, asked)): (&(usize, u32), &(usize, u32))| number == asked && at >= since;
        expected.len() == heard.len() && heard.iter().zip(expected).all(each)
    };
    if expected.iter().any(fits) {
        return;
    }
    let (fewest, most) = (expected.iter().map(Vec::len).min(), expected.iter().map(Vec::len).max());
    let law = match heard.len() {
        count if Some(count) < fewest => "lost",
        count if Some(count) > most => "told more than once, or unasked",
        _ => "not as asked for",
    };
    complaints.push(format!(
        "exactly one exit: isolate {who}'s exit notice at {place} is {law}: heard {heard:?}, possible {expected:?}"
    ));
}

/// Notices to ports of isolates: as many as were taken, from the first on.
fn at_ports(view: &View<'_>, who: u32, complaints: &mut Vec<String>) {
    for by in view.labels() {
        let ports = view.life(by).steps.iter().filter_map(|step| match step.act {
            Act::Open { port, .. } => Some(*port),
            _ => None,
        });
        for port in ports {
            let taken = view.life(by).taken.iter().filter(|taken| taken.got.notice && taken.got.at == port);
            let heard: Vec<_> =
                taken.filter(|taken| taken.got.from == who).map(|taken| (taken.at, taken.got.number)).collect();
            let asked = |step: &Step<'_>| match step.act {
                Act::Watch { whom, port: at, number } if *whom == who && *at == port => {
                    Some(Asked::Add { number: *number, at: step.at })
                }
                _ => None,
            };
            if !heard.is_empty() {
                let acts = if who == by { Acts { certain: vec![], perhaps: None } } else { acts(view, by, asked) };
                let mut possible = expected(&acts, None, who == by);
                possible.iter_mut().for_each(|possible| drop_untaken(possible, &heard, view.discards(port) > 0));
                judge(who, &format!("port {port:?}"), &heard, &possible, complaints);
            }
        }
    }
}

/// What is still queued was not heard; what was discarded neither.
fn drop_untaken(possible: &mut Vec<(usize, u32)>, heard: &[(usize, u32)], discards: bool) {
    if discards {
        possible.retain(|(_, asked)| heard.iter().any(|(_, number)| number == asked));
    }
    possible.truncate(heard.len());
}

/// Nothing comes from an isolate after its exit notice, in the log that hears all of it.
pub(super) fn nothing_after_it(view: &View<'_>, complaints: &mut Vec<String>) {
    for who in view.labels() {
        let log = view.log(who);
        let exit = |heard: &Heard| matches!(heard, Heard::Exit(Record::Gone { who: gone, .. }) if *gone == who);
        let Some(exit) = log.iter().position(exit) else { continue };
        for heard in &log[exit + 1..] {
            match heard {
                Heard::Said(Record::Will(_) | Record::Did(_)) => {
                    complaints.push(format!("nothing after the exit: isolate {who} says {heard:?}"));
                }
                Heard::Ping(_) => {
                    complaints.push(format!("no answer to a ping from the dead: isolate {who} gives {heard:?}"));
                }
                Heard::Error(text) if is_error_of(text, who) => {
                    complaints.push(format!("the error comes before the exit: isolate {who} told {text:?} after it"));
                }
                Heard::Said(_) | Heard::Exit(_) | Heard::Error(_) => {}
            }
        }
    }
}

fn is_error_of(text: &str, who: u32) -> bool {
    let any_number = error_text(who, 0);
    any_number.strip_suffix("0.").is_some_and(|begins| text.starts_with(begins))
}

/// Whether an isolate had taken the exit notice of another at this place of its log.
pub(super) fn knows_dead(view: &View<'_>, by: u32, who: u32) -> Option<(usize, Name)> {
    let notices = view.life(by).taken.iter().filter(|taken| taken.got.notice && taken.got.from == who);
    notices.map(|taken| (taken.at, taken.got.at)).min()
}

/// Whoever knows of a death is answered at once when it asks about it again.
pub(super) fn late_is_at_once(view: &View<'_>, by: u32, who: u32, since: usize, complaints: &mut Vec<String>) {
    for step in view.life(by).steps.iter().filter(|step| step.at > since) {
        let (Act::ListenExit { whom, number }, Some((done, Outcome::Done))) = (step.act, step.outcome) else {
            continue;
        };
        let notice = Heard::Exit(Record::Gone { who, number: *number });
        if *whom == who && !view.log(by)[step.at..done].contains(&notice) {
            complaints.push(format!("the dead answer a late listener at once: isolate {who} did not answer {by}"));
        }
    }
}
