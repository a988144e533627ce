//! Mailbox and handle table by themselves.

use std::hint::black_box;

use insula_wire::{Kind, MailboxPolicy, Status};

use crate::port::{Attachments, CapabilityId, Mailbox, Message, Object, Room, SendRight, Table, Take, Took, Wanted};

/// Bytes of a small message.
const MESSAGE_BYTES: usize = 24;

/// Objects that a table holds meanwhile.
const OBJECTS: u64 = 16;

/// A step: a small message is put into a mailbox, and taken out.
pub fn mailbox() -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let room = Room { messages_max: 1_000, bytes_max: 1 << 20, message_bytes_max: 1 << 16, ports_max: 8 };
    let mailbox = Mailbox::new(room);
    let port = mailbox.open(1, 0, MailboxPolicy::Error).map_err(|_| anyhow::anyhow!("there is room for a port"))?;
    let right = SendRight::new(&port);
    let wanted = Wanted::Port(port);
    Ok(move || {
        let message =
            Message { kind: Kind::Data, bytes: vec![7; MESSAGE_BYTES].into(), attachments: Attachments::default() };
        let port = right.port();
        port.mailbox().send(port, message, None).map_err(|refused| refused.status)?;
        let take = Take { wanted: &wanted, waker: None, ends_unreachable: true };
        match mailbox.take(&take, |_| Ok::<(), ()>(())) {
            Took::Message(_, message, _) => anyhow::ensure!(black_box(message).bytes.len() == MESSAGE_BYTES),
            Took::Kept(..) | Took::Nothing | Took::Unreachable | Took::Closed => anyhow::bail!("nothing came"),
        }
        Ok(())
    })
}

/// A step: an object gets a handle, is found by it, and is let go.
pub fn table() -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let mut table = Table::new(1_000, 0);
    for number in 0..OBJECTS {
        table.insert(Object::Capability(CapabilityId(number)))?;
    }
    let mut number = OBJECTS;
    Ok(move || {
        number += 1;
        let handle = table.insert(Object::Capability(CapabilityId(number)))?;
        anyhow::ensure!(matches!(table.find(black_box(handle)), Ok(Object::Capability(id)) if id.0 == number));
        drop(table.release(handle)?);
        anyhow::ensure!(table.find(handle).err() == Some(Status::BadHandle));
        Ok(())
    })
}
