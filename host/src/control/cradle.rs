//! What a control is made from.

use super::{Accounts, Census, Lineage};
use crate::exit::IsolateId;
use crate::port::{CapabilityId, Mailbox};
use crate::sync::Arc;
use crate::warning::Alarm;

/// What an isolate is born with, as far as control goes.
pub(crate) struct Cradle {
    pub(crate) id: IsolateId,
    pub(crate) lineage: Arc<Lineage>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) handles_max: u64,
    pub(crate) blob_bytes_max: u64,
    pub(crate) accounts: Accounts,
    pub(crate) alarm: Option<Arc<Alarm>>,
    pub(crate) pause_capability: CapabilityId,
    pub(crate) terminate_capability: CapabilityId,
    pub(crate) census: Arc<Census>,
    pub(crate) name: String,
    pub(crate) paused: bool,
    pub(crate) errors_fatal: bool,
}
