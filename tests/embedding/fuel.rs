//! Fuel: what isolates do is counted where the host counts, and bounds who has a limit of it.

use insula::{BuildError, Exit, Host, HostBuilder, Limits, Module, Spawn, SpawnError};

use crate::harness;

const SPINS: &[u8] = b"(module (func (export \"spins\") (loop (br 0))) (func (export \"returns\")))";

fn builder() -> HostBuilder {
    Host::builder().isolates(40).threads(1).cache_folder(harness::cache()).on_uncaught(|_| ())
}

fn counting() -> Result<Host, BuildError> {
    builder().count_fuel(true).build()
}

fn ends(host: &Host, module: &Module, entry: &str, limits: Limits) -> Exit {
    host.spawn(module, Spawn::entry(entry).limits(limits)).expect("there is room").join()
}

#[test]
fn s9_fuel_ends_who_has_used_it_up_and_nobody_else() {
    let host = counting().expect("there is room for a small host");
    let module = host.load("spins", SPINS).expect("it is a module");
    let over = Exit::Limit { which: "fuel".to_owned(), value: 10_000 };
    // In both engines of a host: it makes the second one at the 17th birth.
    for _ in 0..20 {
        assert_eq!(ends(&host, &module, "spins", Limits::default().fuel(10_000)), over);
        assert_eq!(ends(&host, &module, "returns", Limits::default().fuel(10_000)), Exit::Returned);
    }
    assert_eq!(ends(&host, &module, "returns", Limits::default()), Exit::Returned, "without a limit there is enough");
    assert_eq!(
        ends(&host, &module, "spins", Limits::default().fuel(0)),
        Exit::Limit { which: "fuel".to_owned(), value: 0 }
    );
}

#[test]
fn a_limit_of_fuel_is_refused_where_nobody_counts() {
    let refused = |spawned: Result<_, SpawnError>| match spawned.map(drop) {
        Err(SpawnError::Invalid(why)) => assert!(why.contains("HostBuilder::count_fuel"), "{why}"),
        other => panic!("{other:?}"),
    };
    let limited = || Spawn::entry("returns").limits(Limits::default().fuel(10_000));
    let host = builder().build().expect("there is room for a small host");
    refused(host.spawn(&host.load("spins", SPINS).expect("it is a module"), limited()));
    let host = counting().expect("there is room for a small host");
    refused(host.spawn(&host.load_trusted("spins", SPINS).expect("it is a module"), limited()));
    let module = host.load("spins", SPINS).expect("it is a module");
    assert_eq!(host.spawn(&module, limited()).expect("here it is counted").join(), Exit::Returned);
}
