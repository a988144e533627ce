//! A guest that sends without end to what nobody reads: the host's memory stays within the guest's limits, and the guest
//! learns that there is no room.
//!
//! Each is measured in a process of its own, by what the kernel says that the process had at most.

use insula::{Host, Limits, MailboxPolicy, Spawn};

use crate::harness;

/// Memory of each guest, and bytes that may be queued at each.
const LIMIT: u64 = 8 << 20;

/// What else the host may take for one isolate; the guide for embedders has the arithmetic. One message more is in the
/// hands of its sender.
const CONSTANT: u64 = 2 << 20;

/// Refused messages that a flood goes on for: each of them was encoded, and must leave nothing behind.
const REFUSALS: u64 = 20_000;

/// Messages of one byte, where queues are larger than what is in them, and of 64 KiB, where buffers are.
const LENGTHS: [u32; 2] = [1, 64 << 10];

/// As the guest has it.
type Came = (u64, Vec<(String, u64)>);

fn limits() -> Limits {
    Limits::default().memory(LIMIT).mailbox(1_000_000, LIMIT).message(LIMIT).sender_percent(100).blobs(LIMIT)
}

/// Floods a mailbox with messages of each length, and holds what the process took against so many guests of this size and
/// so many mailboxes.
fn flooded(entry: &str, guests: u64, mailboxes: u64) {
    for length in LENGTHS {
        let host =
            Host::builder().isolates(8).threads(2).cache_folder(harness::cache()).build().expect("there is room");
        let module = host.load_file(harness::guest("floods")).expect("the guest is a module");
        let told = host.receive_port::<Came>();
        let port = host.receive_port_with::<Vec<u8>>(&limits(), MailboxPolicy::Error);
        let order = (length, REFUSALS, told.send_port());
        let spawn = Spawn::entry(entry).limits(limits());
        let spawn = match entry {
            "to_the_embedder" => spawn.message(&(port.send_port(), &order)),
            _ => spawn.message(&order),
        };
        harness::measure_from_here();
        let (before, _) = harness::resident();
        let isolate = host.spawn(&module, spawn).expect("there is room");
        let (accepted, refused) = told.recv().expect("the flood comes to its end");
        let (_, at_most) = harness::resident();
        assert_eq!(refused, [("the mailbox is full".to_owned(), REFUSALS)]);
        let cost = u64::from(length) + 64;
        let queued = accepted * cost;
        assert!(queued <= LIMIT && queued > LIMIT / 2, "{accepted} messages of {length} bytes were accepted");
        let bound = (guests + mailboxes) * LIMIT + guests * (CONSTANT + u64::from(length));
        let took = at_most.saturating_sub(before);
        println!("{entry}, {length}: {took} of {bound}, of which {queued} are queued");
        assert!(took <= bound, "{entry} took {took} bytes by messages of {length}, and {bound} are its limits");
        isolate.kill_tree();
    }
}

#[test]
fn a_guest_that_floods_itself_keeps_within_its_limits_and_is_told() {
    let name = "a_guest_that_floods_itself_keeps_within_its_limits_and_is_told";
    harness::apart(module_path!(), name, || flooded("to_itself", 1, 1));
}

#[test]
fn a_guest_that_floods_its_parent_keeps_within_their_limits_and_is_told() {
    let name = "a_guest_that_floods_its_parent_keeps_within_their_limits_and_is_told";
    harness::apart(module_path!(), name, || flooded("to_its_parent", 2, 1));
}

#[test]
fn a_guest_that_floods_the_embedder_keeps_within_the_port_s_limits_and_is_told() {
    let name = "a_guest_that_floods_the_embedder_keeps_within_the_port_s_limits_and_is_told";
    harness::apart(module_path!(), name, || flooded("to_the_embedder", 1, 1));
}
