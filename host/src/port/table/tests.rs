//! The table of one isolate: counts, generations, room, and a model of all of this.

use insula_wire::MailboxPolicy;

use super::*;
use crate::exit::IsolateId;
use crate::port::{Mailbox, Room};

mod model;

fn port(id: u64) -> Arc<Port> {
    let room = Room { messages_max: 9, bytes_max: 999, message_bytes_max: 9, ports_max: 9 };
    Mailbox::new(room).open(id, 0, MailboxPolicy::Error).unwrap()
}

fn token(id: u64) -> Object {
    Object::Capability(CapabilityId(id))
}

fn isolate(id: u64) -> Object {
    Object::Control(ControlRef { id: IsolateId(id), control: Arc::new(()) })
}

fn holds_token(table: &Table, handle: u32, id: u64) -> bool {
    matches!(table.find(handle), Ok(Object::Capability(found)) if found.0 == id)
}

/// The last release of what the handle names.
fn free(table: &mut Table, handle: u32) -> Object {
    table.release(handle).unwrap().expect("it was counted once")
}

#[test]
fn s3_5_a_delivery_counts_one_and_a_drop_takes_one() {
    let mut table = Table::new(9, 0);
    let handle = table.insert(token(1)).unwrap();
    assert_eq!(table.insert(token(1)), Ok(handle));
    table.duplicate(handle).unwrap();
    assert_eq!(table.len(), 1);
    for _ in 0..2 {
        assert!(table.release(handle).unwrap().is_none());
        assert!(holds_token(&table, handle, 1));
    }
    assert!(matches!(free(&mut table, handle), Object::Capability(CapabilityId(1))));
    assert_eq!(table.len(), 0);
}

#[test]
fn s3_5_a_handle_is_20_bits_of_index_and_12_of_generation() {
    let mut table = Table::new(9, 0);
    let first = table.insert(token(1)).unwrap();
    let second = table.insert(token(2)).unwrap();
    assert_eq!((first, second), (1, 2));
    free(&mut table, first);
    assert_eq!(table.insert(token(3)), Ok(1 | (1 << 20)));
}

#[test]
fn s3_5_a_number_that_was_freed_is_a_status() {
    let mut table = Table::new(9, 0);
    let stale = table.insert(token(1)).unwrap();
    free(&mut table, stale);
    let fresh = table.insert(token(2)).unwrap();
    assert_ne!(stale, fresh);
    assert_eq!(table.find(stale).err(), Some(Status::BadHandle));
    assert_eq!(table.duplicate(stale), Err(Status::BadHandle));
    assert_eq!(table.release(stale).err(), Some(Status::BadHandle));
    assert_eq!(table.attach(stale).err(), Some(Status::BadHandle));
    assert!(holds_token(&table, fresh, 2));
}

#[test]
fn s3_4_a_number_that_is_not_in_the_table_is_a_status() {
    let mut table = Table::new(9, 0);
    let handle = table.insert(token(1)).unwrap();
    for number in [0, 2, handle | (1 << 20), 1 << 20, u32::MAX, u32::MAX >> 12] {
        assert_eq!(table.find(number).err(), Some(Status::BadHandle), "{number:#x}");
        assert_eq!(table.release(number).err(), Some(Status::BadHandle), "{number:#x}");
    }
    assert!(holds_token(&table, handle, 1));
}

#[test]
fn s3_5_a_slot_whose_generation_would_wrap_is_retired() {
    let mut table = Table::new(1, 0);
    let mut seen = std::collections::HashSet::new();
    for round in 0..4096_u32 {
        let handle = table.insert(token(round.into())).unwrap();
        assert_eq!(handle, 1 | (round << 20));
        free(&mut table, handle);
        seen.insert(handle);
    }
    let other = table.insert(token(5000)).unwrap();
    assert_eq!(other, 2, "the first slot is used up");
    assert_eq!(seen.len(), 4096);
    assert!(seen.iter().all(|stale| table.find(*stale).err() == Some(Status::BadHandle)));
}

#[test]
fn retired_slots_are_no_room() {
    let mut table = Table::new(u64::MAX, 0);
    let round = table.insert(token(1)).unwrap();
    free(&mut table, round);
    assert!(table.has_room(INDEX_MAX as usize));
    assert!(!table.has_room(INDEX_MAX as usize + 1));
    for id in 1..4096 {
        let handle = table.insert(token(id)).unwrap();
        free(&mut table, handle);
    }
    assert!(table.has_room(INDEX_MAX as usize - 1));
    assert!(!table.has_room(INDEX_MAX as usize));
}

#[test]
fn s9_a_table_holds_so_many_objects() {
    let mut table = Table::new(2, 0);
    let one = table.insert(token(1)).unwrap();
    assert!(table.has_room(1) && !table.has_room(2));
    let two = table.insert(token(2)).unwrap();
    assert!(table.has_room(0) && !table.has_room(1));
    assert_eq!(table.insert(token(3)), Err(Status::TooMany));
    assert_eq!(table.insert(token(1)), Ok(one), "it is there already");
    free(&mut table, two);
    assert!(table.insert(token(3)).is_ok());
}

#[test]
fn a_refused_object_is_released() {
    let (mut table, port) = (Table::new(0, 0), port(1));
    assert_eq!(table.insert(Object::Send(SendRight::new(&port))), Err(Status::TooMany));
    assert!(port.is_unreachable());
}

#[test]
fn a_count_that_would_wrap_is_refused() {
    let mut table = Table::new(9, 0);
    let handle = table.insert(token(1)).unwrap();
    table.entries[0].count = u32::MAX;
    assert_eq!(table.duplicate(handle), Err(Status::TooMany));
    assert_eq!(table.insert(token(1)), Err(Status::TooMany));
    assert!(table.release(handle).unwrap().is_none());
    assert_eq!(table.duplicate(handle), Ok(()));
}

#[test]
fn objects_of_different_kinds_are_different_objects() {
    let (mut table, port) = (Table::new(9, 0), port(7));
    let objects = [Object::Receive(Arc::clone(&port)), Object::Own(port), token(7), isolate(7)];
    let handles = objects.map(|object| table.insert(object).unwrap());
    let kinds = handles.map(|handle| table.find(handle).unwrap().kind());
    let expected = [HandleKind::ReceivePort, HandleKind::SendPort, HandleKind::Capability, HandleKind::Control];
    assert_eq!((kinds, table.len()), (expected, 4));
}

#[test]
fn s3_5_two_send_ports_of_one_port_are_one_handle() {
    let (mut table, port) = (Table::new(9, 0), port(1));
    let first = table.insert(Object::Send(SendRight::new(&port))).unwrap();
    assert_eq!(table.insert(Object::Send(SendRight::new(&port))), Ok(first));
    port.mailbox().close_port(&port);
    assert_eq!(table.insert(Object::Send(SendRight::new(&port))), Ok(first), "also after it is closed");
    for _ in 0..2 {
        assert!(table.release(first).unwrap().is_none());
    }
    assert!(!port.is_unreachable());
    drop(free(&mut table, first));
    assert!(port.is_unreachable());
}

#[test]
fn s5_3_ones_own_send_port_holds_nothing() {
    let (mut table, port) = (Table::new(9, 0), port(1));
    let own = table.insert(Object::Own(Arc::clone(&port))).unwrap();
    assert!(port.is_unreachable());
    let attached = table.attach(own);
    assert!(matches!(&attached, Ok(Attachment::Send(right)) if right.port().id() == 1));
    assert!(!port.is_unreachable(), "what is in flight counts");
    drop(attached);
    assert!(port.is_unreachable());
}

#[test]
fn a_receive_port_does_not_travel() {
    let (mut table, port) = (Table::new(9, 0), port(1));
    let receive = table.insert(Object::Receive(Arc::clone(&port))).unwrap();
    assert_eq!(table.attach(receive).err(), Some(Status::Unsendable));
    let token = table.insert(token(1)).unwrap();
    assert!(matches!(table.attach(token), Ok(Attachment::Capability(CapabilityId(1)))));
    let control = table.insert(isolate(2)).unwrap();
    assert!(matches!(table.attach(control), Ok(Attachment::Control(found)) if found.id == IsolateId(2)));
    let other = table.insert(Object::Send(SendRight::new(&port))).unwrap();
    assert!(matches!(table.attach(other), Ok(Attachment::Send(right)) if right.port().id() == 1));
}

#[test]
fn the_owner_finds_its_receive_port_by_the_port() {
    let (mut table, port) = (Table::new(9, 0), port(1));
    table.insert(Object::Own(Arc::clone(&port))).unwrap();
    assert_eq!(table.handle_of_receive(&port), None);
    let first = table.insert(Object::Receive(Arc::clone(&port))).unwrap();
    assert_eq!(table.handle_of_receive(&port), Some(first));
    free(&mut table, first);
    assert_eq!(table.handle_of_receive(&port), None);
    let second = table.insert(Object::Receive(Arc::clone(&port))).unwrap();
    assert_ne!(second, first);
    assert_eq!(table.handle_of_receive(&port), Some(second));
}

#[test]
fn s5_1_a_cleared_table_is_empty_and_stays_so() {
    let (mut table, port) = (Table::new(9, 0), port(1));
    let right = table.insert(Object::Send(SendRight::new(&port))).unwrap();
    let freed = table.insert(token(1)).unwrap();
    free(&mut table, freed);
    let objects = table.clear();
    assert_eq!((objects.len(), table.len()), (1, 0));
    assert!(!port.is_unreachable(), "whoever clears it releases them");
    drop(objects);
    assert!(port.is_unreachable());
    assert_eq!(table.find(right).err(), Some(Status::BadHandle));
    assert_eq!(table.insert(token(2)), Err(Status::TooMany));
    assert!(!table.has_room(1) && table.clear().is_empty());
}

#[test]
fn s6_6_a_blob_is_taken_once_however_often_it_was_counted() {
    let mut table = Table::new(9, 10);
    let blob = Blob::new(b"bytes".to_vec());
    let handle = table.insert(Object::Blob(Arc::clone(&blob))).unwrap();
    assert_eq!(table.insert(Object::Blob(Arc::clone(&blob))), Ok(handle), "the same one twice is one");
    assert_eq!((table.blob_bytes(), table.has_room_for_blobs(5), table.has_room_for_blobs(6)), (5, true, false));
    assert_eq!(table.take_blob(handle).map(|blob| blob.len()), Ok(5));
    assert_eq!(table.take_blob(handle).err(), Some(Status::BadHandle));
    assert_eq!(table.release(handle).err(), Some(Status::BadHandle));
    assert_eq!((table.blob_bytes(), table.len()), (0, 0));
    let token = table.insert(token(1)).unwrap();
    assert_eq!(table.take_blob(token).err(), Some(Status::WrongKind));
}

#[test]
fn s6_6_a_blob_that_was_sent_is_gone_at_the_sender() {
    let mut table = Table::new(9, 10);
    let blob = Blob::new(vec![0; 10]);
    let handle = table.insert(Object::Blob(Arc::clone(&blob))).unwrap();
    table.duplicate(handle).unwrap();
    assert!(matches!(table.attach(handle), Ok(Attachment::Blob(_))));
    table.moved(&[blob]);
    assert_eq!((table.find(handle).err(), table.blob_bytes()), (Some(Status::BadHandle), 0));
    let next = table.insert(Object::Blob(Blob::new(vec![0; 10]))).unwrap();
    assert_ne!(next, handle);
    assert_eq!(table.insert(Object::Blob(Blob::new(vec![0]))), Err(Status::TooMany), "the bytes are bounded");
}

/// A handle of a dead isolate keeps its control, and the control its table: 7 MiB of a table that was full.
#[test]
fn a_table_that_is_cleared_keeps_no_memory() {
    let mut table = Table::new(999, 0);
    let handles: Vec<u32> = (0..500).map(|id| table.insert(token(id)).unwrap()).collect();
    handles[..100].iter().for_each(|handle| drop(free(&mut table, *handle)));
    assert_eq!(table.clear().len(), 400);
    assert_eq!((table.known.capacity(), table.free.capacity(), table.entries.capacity()), (0, 0, 0));
}
