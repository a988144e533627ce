//! Values with capabilities in them, without the ports of an embedder: a type of this file's own stands for those.

use insula_wire::MailboxPolicy;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use super::*;
use crate::port::{Mailbox, Port, Room, SendRight};
use crate::sync::Arc;

mod regressions;

const HOST: u64 = 1;

/// A right of a host, as a value.
struct Right(SendRight, u64);

impl Serialize for Right {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = attach(Attachment::Send(self.0.clone()), self.1);
        serializer.serialize_u8(position.ok_or_else(|| S::Error::custom("no place for a right"))?)
    }
}

impl<'de> Deserialize<'de> for Right {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Right, D::Error> {
        match detach(u8::deserialize(deserializer)?) {
            Some(Attachment::Send(right)) => Ok(Right(right, HOST)),
            Some(_) | None => Err(D::Error::custom("no right")),
        }
    }
}

/// A value that encodes another while it is encoded itself.
struct Nested<'a>(&'a Right);

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let inner = message(self.0).map_err(S::Error::custom)?;
        serializer.serialize_u8(inner.attachments.len() as u8)
    }
}

fn port(id: u64) -> Arc<Port> {
    let room = Room { messages_max: 9, bytes_max: 999, message_bytes_max: 9, ports_max: 9 };
    Mailbox::new(room).open(id, 0, MailboxPolicy::Error).unwrap()
}

fn right(port: &Arc<Port>, host: u64) -> Right {
    Right(SendRight::new(port), host)
}

fn message<T: Serialize + ?Sized>(value: &T) -> Result<Message, Status> {
    Ok(encode(value, Kind::Data).map_err(|_| Status::Unsendable)?.into_message(HOST)?.0)
}

fn ports_of(message: &Message) -> Vec<u64> {
    let port = |attachment: &Attachment| match attachment {
        Attachment::Send(right) => right.port().id(),
        Attachment::Capability(_) | Attachment::Control(_) | Attachment::Blob(_) => panic!("only rights went in"),
    };
    message.attachments.iter().map(port).collect()
}

#[test]
fn what_is_encoded_decodes() {
    let message = message(&("text", 7_u32, [1.5_f64])).unwrap();
    assert_eq!((message.kind, message.attachments.len()), (Kind::Data, 0));
    assert_eq!(decode(message).ok(), Some(("text".to_owned(), 7_u32, [1.5_f64])));
}

#[test]
fn the_kind_is_what_was_asked_for() {
    let message = encode("x", Kind::Ping).unwrap().into_message(HOST);
    assert_eq!(message.map(|(message, _)| message.kind).ok(), Some(Kind::Ping));
}

#[test]
fn rights_travel_beside_the_bytes_in_the_order_of_the_value() {
    let (one, two) = (port(1), port(2));
    let value = (right(&two, HOST), vec![right(&one, HOST), right(&two, HOST)]);
    let message = message(&value).unwrap();
    assert_eq!(ports_of(&message), [2, 1, 2]);
    let (first, rest): (Right, Vec<Right>) = decode(message).unwrap();
    let rest: Vec<u64> = rest.iter().map(|right| right.0.port().id()).collect();
    assert_eq!((first.0.port().id(), rest), (2, vec![1, 2]));
}

#[test]
fn what_the_value_does_not_take_is_released() {
    let (one, two) = (port(1), port(2));
    let message = message(&(right(&one, HOST), right(&two, HOST))).unwrap();
    let (_, kept): (u8, Right) = decode(message).unwrap();
    assert!(one.is_unreachable() && !two.is_unreachable());
    drop(kept);
    assert!(two.is_unreachable());
}

#[test]
fn what_does_not_decode_is_released() {
    let one = port(1);
    let message = message(&right(&one, HOST)).unwrap();
    assert!(decode::<[u8; 2]>(message).is_err());
    assert!(one.is_unreachable());
}

#[test]
fn a_position_without_a_right_does_not_decode() {
    let plain = message(&0_u8).unwrap();
    assert!(decode::<Right>(plain).is_err());
    let one = port(1);
    let mut message = message(&right(&one, HOST)).unwrap();
    message.bytes = vec![1].into();
    assert!(decode::<Right>(message).is_err());
}

#[test]
fn outside_of_a_message_there_are_no_positions() {
    let one = port(1);
    assert_eq!(attach(Attachment::Send(SendRight::new(&one)), HOST), None);
    assert!(detach(0).is_none());
    assert!(one.is_unreachable());
    let message = message(&right(&one, HOST)).unwrap();
    assert!(insula_wire::codec::decode::<u8>(&message.bytes).is_ok());
    assert!(insula_wire::codec::encode_into(&right(&one, HOST), &mut Vec::new()).is_err());
}

#[test]
fn s3_4_a_right_of_another_host_is_unsendable() {
    let one = port(1);
    assert_eq!(message(&right(&one, 2)).err(), Some(Status::Unsendable));
    assert_eq!(message(&(right(&one, HOST), right(&one, 2))).err(), Some(Status::Unsendable));
    assert!(message("no right").is_ok());
    assert!(one.is_unreachable());
}

#[test]
fn s6_7_a_message_has_at_most_255_capabilities() {
    let one = port(1);
    let rights = |count: usize| (0..count).map(|_| right(&one, HOST)).collect::<Vec<Right>>();
    let most = message(&rights(CAPABILITIES_MAX)).unwrap();
    assert_eq!(decode::<Vec<Right>>(most).unwrap().len(), 255);
    assert_eq!(message(&rights(CAPABILITIES_MAX + 1)).err(), Some(Status::Unsendable));
    assert!(one.is_unreachable());
}

#[test]
fn a_value_that_refuses_is_unsendable_and_spoils_nothing() {
    let (one, two) = (port(1), port(2));
    assert_eq!(message(&(right(&one, HOST), right(&one, 2))).err(), Some(Status::Unsendable));
    let next = message(&right(&two, HOST)).unwrap();
    assert_eq!(ports_of(&next), [2]);
    assert_eq!(attach(Attachment::Send(SendRight::new(&one)), HOST), None);
}

#[test]
fn a_message_that_is_encoded_within_another_has_its_own_rights() {
    let (one, two) = (port(1), port(2));
    let (inner, outer) = (right(&two, HOST), right(&one, HOST));
    let message = message(&(&outer, Nested(&inner), &outer)).unwrap();
    assert_eq!((ports_of(&message), &message.bytes[..]), (vec![1, 1], &[0, 1, 1][..]));
}

#[test]
fn a_clone_of_what_is_encoded_holds_its_own_rights() {
    let one = port(1);
    let encoded = encode(&right(&one, HOST), Kind::Data).ok().unwrap();
    let (copy, _) = encoded.clone().into_message(HOST).unwrap();
    assert!(encoded.clone().into_message(2).is_err());
    drop(encoded);
    assert_eq!((ports_of(&copy), copy.bytes.len()), (vec![1], 1));
    drop(copy);
    assert!(one.is_unreachable());
}
