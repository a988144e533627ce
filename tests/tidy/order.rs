//! Functions stand where the WIT has them: whoever reads an interface finds its imports in the same order.

use super::source::Source;
use super::{blank, blank::Literals};
use crate::contract::Contract;

/// The names of an interface's functions, where a file has them as string literals, are in the order of the WIT.
///
/// `abi/ports.rs` holds the interface `ports`; `sys.rs` of the SDK holds all of them.
pub(super) fn imports(source: &Source) -> Vec<String> {
    let contract = Contract::parse(insula_wire::WIT);
    let text = blank::tests(&blank::comments(source.text(), Literals::Kept));
    let file = source.path().rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    let interfaces = contract.interfaces();
    let meant = interfaces.iter().filter(|(name, _)| file == "sys" || name.replace('-', "_") == file);
    meant.flat_map(|(name, fields)| out_of_order(source, section(&text, name), fields)).collect()
}

/// The part of the text that is about an interface: from its module's name to the next one's; all of it, if it is not
/// named.
fn section<'a>(text: &'a str, interface: &str) -> (usize, &'a str) {
    let Some(start) = text.find(&format!("insula:isolate/{interface}@")) else { return (0, text) };
    let behind = start + "insula:isolate/".len();
    let end = text[behind..].find("insula:isolate/").map_or(text.len(), |next| behind + next);
    (start, &text[start..end])
}

/// Findings for names that come before their predecessor.
fn out_of_order(source: &Source, (start, text): (usize, &str), fields: &[String]) -> Vec<String> {
    let places = fields.iter().filter_map(|field| Some((text.find(&format!("\"{field}\""))?, field)));
    let places: Vec<_> = places.collect();
    let wrong = places.windows(2).filter(|pair| pair[1].0 < pair[0].0);
    wrong
        .map(|pair| {
            let line = blank::line(source.text(), start + pair[1].0);
            source.finding(line, format!("{} comes before {}, unlike in isolate.wit", pair[1].1, pair[0].1))
        })
        .collect()
}

#[test]
fn functions_out_of_order_are_found() {
    let text = "// \"close\"\nlink(\"open\"); link(\"send\");\nlink(\"sender\"); link(\"close\");";
    assert_eq!(
        imports(&Source::new("host/src/abi/ports.rs", text)),
        ["host/src/abi/ports.rs:2: send comes before sender, unlike in isolate.wit"]
    );
    assert_eq!(imports(&Source::new("host/src/abi/memory.rs", text)), [""; 0]);
}

#[test]
fn the_sdk_is_read_interface_by_interface() {
    let text = "\"insula:isolate/names@0.1.0\" \"remove\"\n\"insula:isolate/handles@0.1.0\" \"drop\" \"duplicate\"";
    assert_eq!(
        imports(&Source::new("guest/src/sys.rs", text)),
        ["guest/src/sys.rs:2: drop comes before duplicate, unlike in isolate.wit"]
    );
}
