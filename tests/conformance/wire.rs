//! A port of the embedder's that faults whoever sends to it: the wake-up of its receiver panics, below the sender's poll.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use insula::{Host, Limits, MailboxPolicy, ReceivePort, RecvError};

type Receiving = Pin<Box<dyn Future<Output = Result<(), RecvError>> + Send>>;

/// What the panic says.
pub(super) const TEXT: &str = "a wake-up of the embedder's panicked";

/// The port, and who waits there.
struct Wire {
    port: Arc<ReceivePort<()>>,
    receiving: Mutex<Option<Receiving>>,
}

/// Takes the wire away when it is dropped.
pub(super) struct Laid(Arc<Wire>);

/// Lays one under the name `wire` of the namespace `deaths`.
pub(super) fn lay(host: &Host) -> Laid {
    let port = host.receive_port_with(&Limits::default(), MailboxPolicy::DropOldest);
    host.names("deaths").register("wire", &port.send_port()).expect("the name is free");
    let wire = Arc::new(Wire { port: Arc::new(port), receiving: Mutex::new(None) });
    wire.stretch();
    Laid(wire)
}

impl Wire {
    /// Takes what is there, and waits for more.
    fn stretch(self: &Arc<Wire>) {
        let waker = Waker::from(Arc::clone(self));
        let mut receiving = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let port = Arc::clone(&self.port);
            let next = receiving.insert(Box::pin(async move { port.recv_async().await }));
            if next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                return;
            }
        }
    }
}

impl Wake for Wire {
    fn wake(self: Arc<Wire>) {
        self.stretch();
        // Without a word of the panic hook: there will be thousands.
        resume_unwind(Box::new(TEXT));
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        let receiving = self.0.receiving.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(receiving);
    }
}
