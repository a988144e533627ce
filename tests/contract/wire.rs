//! What `insula-wire` says of the WIT's enums and records.

use std::mem::offset_of;

use insula_wire::{GrantKind, HandleKind, Kind, LimitKind, MailboxPolicy, Priority, Status, layout};
use wit_parser::TypeDefKind;

use super::wit::{Contract, Layout};

/// An enum of `insula-wire`: its name in the WIT, and its cases with their numbers.
struct Numbers {
    name: &'static str,
    first: u32,
    cases: Vec<(&'static str, u32)>,
}

/// The numbers of an enum, the first of which is `$first`.
macro_rules! numbers {
    ($name:literal, $type:ident from $first:literal) => {
        Numbers {
            name: $name,
            first: $first,
            cases: $type::ALL
                .iter()
                .map(|(case, name)| {
                    assert_eq!($type::from_code(case.code()), Some(*case), "{name} is not its own code's case");
                    (*name, case.code())
                })
                .collect(),
        }
    };
}

/// The layout of a record, as the compiler lays it out.
macro_rules! layout {
    ($name:literal, $type:ident { $($field:ident),* $(,)? }) => {
        (
            $name,
            Layout {
                size: size_of::<layout::$type>(),
                fields: vec![$((stringify!($field).to_owned(), offset_of!(layout::$type, $field))),*],
            },
        )
    };
}

fn enums() -> Vec<Numbers> {
    vec![
        numbers!("status", Status from 1),
        numbers!("kind", Kind from 0),
        numbers!("handle-kind", HandleKind from 0),
        numbers!("mailbox-policy", MailboxPolicy from 0),
        numbers!("priority", Priority from 0),
        numbers!("limit-kind", LimitKind from 0),
        numbers!("grant-kind", GrantKind from 0),
    ]
}

fn records() -> Vec<(&'static str, Layout)> {
    vec![
        layout!("payload", Payload { bytes, capabilities }),
        layout!("received", Received { kind, port, length, capabilities }),
        layout!("isolate", Isolate { control, pause, terminate }),
        layout!("limit", Limit { which, value }),
        layout!("grant", Grant { kind, argument }),
        layout!(
            "spawn-options",
            SpawnOptions {
                message,
                debug_name,
                paused,
                errors_are_fatal,
                scoped,
                inherit_grants,
                on_exit,
                on_exit_schema,
                on_exit_response,
                on_error,
                on_error_schema,
                limits,
                grants,
            }
        ),
    ]
}

/// What differs between the WIT's types and this crate's knowledge of them, a line each.
pub(super) fn differences(contract: &Contract) -> Vec<String> {
    let mut lines = Vec::new();
    let enums = enums();
    for numbers in &enums {
        let names = contract.cases(numbers.name);
        let wanted: Vec<_> = names.iter().map(String::as_str).zip(numbers.first..).collect();
        if wanted != numbers.cases {
            lines.push(format!("{}: {wanted:?} in the WIT, {:?} in insula-wire", numbers.name, numbers.cases));
        }
    }
    let records = records();
    for (name, found) in &records {
        let wanted = contract.layout(name);
        if wanted != *found {
            lines.push(format!("{name}: {wanted:?} in the WIT, {found:?} in insula-wire"));
        }
    }
    let known: Vec<&str> =
        enums.iter().map(|numbers| numbers.name).chain(records.iter().map(|(name, _)| *name)).collect();
    let all = contract.names(|kind| matches!(kind, TypeDefKind::Enum(_) | TypeDefKind::Record(_)));
    let unknown = all.iter().filter(|name| !known.contains(&name.as_str()));
    lines.extend(unknown.map(|name| format!("{name}: in the WIT, not compared with insula-wire")));
    lines
}
