//! Each grant, from the embedder's side: what it gives, and that without it there is a refusal that names it.

use std::collections::BTreeMap;
use std::time::Duration;

use insula::{Exit, Grant, Host, Limits, Module, Spawn, SpawnError};

use crate::harness::{self, Folder};

const GRANTED: &str = "granted";

/// A host with the guest program of this file, which offers another module.
fn house() -> (Host, Module) {
    let builder = Host::builder().isolates(16).threads(2).cache_folder(harness::cache());
    let host = builder.build().expect("there is room for a small host");
    let module = host.load_file(harness::guest(GRANTED)).expect("the guest is a module");
    let other = host.load("other", b"(module (func (export \"_start\")))").expect("the text is a module");
    host.offer("other_module", &other);
    (host, module)
}

/// What the guest says of each thing that it tries.
fn tried(house: &(Host, Module), spawn: Spawn) -> Vec<(String, String)> {
    let (host, module) = house;
    let port = host.receive_port::<(String, String)>();
    let spawn = spawn.message(&port.send_port()).limits(Limits::default().deadline(Duration::from_secs(60)));
    let isolate = host.spawn(module, spawn).expect("the grants can be given");
    let said: Vec<_> = port.messages().map_while(Result::ok).collect();
    assert_eq!(isolate.join(), Exit::Returned);
    said
}

fn tries(house: &(Host, Module), grant: Option<&Grant>) -> BTreeMap<String, String> {
    let spawn = Spawn::entry("tries");
    tried(house, grant.iter().fold(spawn, |spawn, grant| spawn.grant((*grant).clone()))).into_iter().collect()
}

#[test]
fn s8_without_a_grant_each_thing_is_refused_and_the_grant_is_named() {
    let said = tries(&house(), None);
    let named = [("names", "Grant::names"), ("module", "Grant::module")];
    for (what, grant) in named {
        assert!(said[what].contains(grant), "{what}: {}", said[what]);
    }
    // WASI has no words for why: a file or a variable that was not granted is not there.
    assert!(said["read"].contains("No such file") && said["write"].contains("No such file"), "{said:?}");
    assert_eq!(said["environment"], "environment variable not found");
    assert_eq!((said["config"].as_str(), said["fine clock"].as_str()), ("none", "false"));
    assert_eq!(said.len(), 7, "{said:?}");
}

#[test]
fn s8_each_grant_gives_its_own_thing_and_no_other() {
    let folder = Folder::new("each-grant");
    folder.file("file.txt", "content");
    let house = house();
    let none = tries(&house, None);
    let table: [(Grant, &[&str]); 8] = [
        (Grant::read_only(folder.path(), "/data"), &["read"]),
        (Grant::read_write(folder.path(), "/data"), &["read", "write"]),
        (Grant::environment("NAME", "value"), &["environment"]),
        (Grant::config("NAME", "value"), &["config"]),
        (Grant::fine_clock(), &["fine clock"]),
        (Grant::names("a namespace"), &["names"]),
        (Grant::module("other_module"), &["module"]),
        (Grant::modules(), &["module"]),
    ];
    for (grant, given) in &table {
        let said = tries(&house, Some(grant));
        for (what, came) in &said {
            let is_there = ["yes", "true", "configured: value"].contains(&came.as_str());
            assert_eq!(is_there, given.contains(&what.as_str()), "with {grant}, {what}: {came}");
            // What is in a folder that may only be read is refused in other words than what is in none.
            assert!(is_there || came == &none[what] || what == "write", "with {grant}, {what}: {came}");
        }
    }
    assert!(tries(&house, Some(&Grant::module("another")))["module"].contains("Grant::module"));
    assert!(tries(&house, Some(&Grant::environment("NAMES", "value")))["environment"].contains("not found"));
    assert_eq!(tries(&house, Some(&Grant::config("NAMES", "value")))["config"], "none");
}

#[test]
fn a_grant_that_cannot_be_given_is_an_error_of_the_spawn() {
    let (host, module) = house();
    let missing = Grant::read_only("no/such/folder", "/data");
    let refused = host.spawn(&module, Spawn::entry("tries").grant(missing.clone())).map(|_| ()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the grant `read-only folder no/such/folder::/data` cannot be given: no such folder"
    );
    assert!(matches!(refused, SpawnError::InvalidGrant { grant, .. } if grant == missing));
    assert_eq!(host.live(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn s8_a_child_is_given_a_part_of_its_parents_folder_and_nothing_around_it() {
    let folder = Folder::new("parts");
    folder.file("granted/file.txt", "above");
    folder.file("granted/part/file.txt", "of the part");
    folder.file("granted/beside.txt", "not for the child");
    folder.file("secret/file.txt", "secret");
    let granted = folder.path().join("granted");
    std::os::unix::fs::symlink("../secret", granted.join("out")).expect("a link can be made");
    let spawn = Spawn::entry("parts").grant(Grant::environment("HOST", granted.display().to_string()));
    let spawn = spawn.grant(Grant::read_write(&granted, "/data")).grant(Grant::read_only(&granted, "/read"));
    let said = tried(&house(), spawn);
    let said: Vec<(&str, &str)> = said.iter().map(|(what, came)| (what.as_str(), came.as_str())).collect();
    let (read, wrote) = said.split_at(4);
    assert_eq!(read[..2], [("a part to read", "yes"), ("read", "of the part")]);
    assert!(read[2].0 == "beside" && !read[2].1.contains("not for the child"), "{read:?}");
    assert_eq!(read[3], ("write", "false"));
    assert_eq!((wrote[0], wrote[3]), (("a part to write", "yes"), ("write", "true")));
    assert_eq!(std::fs::read_to_string(granted.join("part/new.txt")).ok().as_deref(), Some("new"));
    let refusals = [
        ("by its name on the host", "not within what the parent has"),
        ("by the way up", "not within what the parent has"),
        ("a link that leads out", "/data/out::/part` cannot be given"),
        ("what is not there", "/data/missing::/part` cannot be given"),
        ("to write what is read-only", "read-write folder /read/part::/part` is not within"),
    ];
    for ((what, came), (tried, why)) in wrote[4..].iter().zip(refusals) {
        assert!(*what == tried && came.contains(why), "{what}: {came}");
    }
    assert_eq!(said.len(), 8 + refusals.len(), "{said:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn s8_of_two_folders_of_one_name_a_child_is_given_a_part_of_the_one_that_its_parent_sees() {
    let folder = Folder::new("one-name");
    folder.file("one/part/file.txt", "one");
    folder.file("two/part/file.txt", "two");
    folder.file("two/file.txt", "of two alone");
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    let house = house();
    let given = |first, second| {
        let both = |entry| {
            Spawn::entry(entry).grant(Grant::read_write(first, "/data")).grant(Grant::read_write(second, "/data"))
        };
        let own = tried(&house, both("tries")).swap_remove(0);
        let parts = tried(&house, both("parts").grant(Grant::environment("HOST", "/nowhere"))).swap_remove(1);
        (own, parts)
    };
    let ((what, own), (read, of_child)) = given(&one, &two);
    assert_eq!([what.as_str(), &own, &read, &of_child], ["read", "yes", "read", "two"]);
    let ((_, own), (_, of_child)) = given(&two, &one);
    assert!(own.contains("No such file") && of_child == "one", "{own}, {of_child}");
}

/// Time of day and a random number of an isolate, of two children like it, and of one without its grants.
fn world(house: &(Host, Module), spawn: Spawn) -> Vec<(u64, u64)> {
    let (host, module) = house;
    let port = host.receive_port::<(u64, u64)>();
    let spawn = spawn.message(&port.send_port()).limits(Limits::default().deadline(Duration::from_secs(60)));
    let isolate = host.spawn(module, spawn.grant(Grant::environment("A", "b"))).expect("the grant can be given");
    let told: Vec<_> = port.messages().map_while(Result::ok).collect();
    assert_eq!((isolate.join(), told.len()), (Exit::Returned, 4));
    told
}

#[test]
fn a_fixed_clock_holds_the_time_of_day_for_a_whole_family_and_lets_durations_go_on() {
    let house = house();
    let fixed = world(&house, Spawn::entry("world").fixed_clock(Duration::from_millis(1_234_567)));
    assert!(fixed.iter().all(|(time, _)| *time == 1_234_567), "{fixed:?}");
    let real = world(&house, Spawn::entry("world"));
    assert!(real.iter().all(|(time, _)| *time > 1_600_000_000_000), "it is later than 2020: {real:?}");
}

#[test]
fn a_seed_makes_the_random_numbers_of_a_whole_family() {
    let house = house();
    let drawn = |spawn: Spawn| -> Vec<u64> { world(&house, spawn).into_iter().map(|(_, number)| number).collect() };
    let seeded = |seed| drawn(Spawn::entry("world").seeded_random(seed));
    let first = seeded(7);
    assert_eq!(first, seeded(7));
    for others in [seeded(8), drawn(Spawn::entry("world")), drawn(Spawn::entry("world"))] {
        assert!(others.iter().all(|number| !first.contains(number)), "{first:?} and {others:?}");
    }
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 4, "each of a family has its own: {first:?}");
}
