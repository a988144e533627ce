//! Rules for orders, version 2: whoever is new is looked at sooner, and there are countries that nothing is sent to.

mod orders;

use orders::{Decision, Order, Verdict};

fn decide(order: Order) -> Decision {
    let verdict = match order {
        Order { cents: 0, .. } => Verdict::Refuse("there is nothing in it".to_owned()),
        Order { country, .. } if country == "Atlantis" => Verdict::Refuse(format!("nothing is sent to {country}")),
        Order { cents: 20_001.., earlier: 0, .. } => {
            Verdict::Review("it is the first, and worth more than 200".to_owned())
        }
        Order { cents: 100_001.., .. } => Verdict::Review("it is worth more than 1,000".to_owned()),
        _ => Verdict::Accept,
    };
    Decision { rules: 2, verdict }
}

insula_guest::export_service!(decide as "decide");

fn main() {}
