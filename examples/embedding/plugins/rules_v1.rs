//! Rules for orders, version 1.

mod orders;

use orders::{Decision, Order, Verdict};

fn decide(order: Order) -> Decision {
    let verdict = match order {
        Order { cents: 0, .. } => Verdict::Refuse("there is nothing in it".to_owned()),
        Order { cents: 100_001.., .. } => Verdict::Review("it is worth more than 1,000".to_owned()),
        _ => Verdict::Accept,
    };
    Decision { rules: 1, verdict }
}

insula_guest::export_service!(decide as "decide");

fn main() {}
