//! Ending calls from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Ends every call that it was given to, now and later. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    changed: Notify,
}

impl Interrupt {
    /// An interrupt that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises it, for good.
    pub fn interrupt(&self) {
        self.0.raised.store(true, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }

    /// Whether it was raised.
    pub fn is_interrupted(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// Waits until it is raised.
    pub(super) async fn raised(&self) {
        let changed = self.0.changed.notified();
        tokio::pin!(changed);
        // Listens before it looks, so that it cannot miss the change in between.
        changed.as_mut().enable();
        if !self.is_interrupted() {
            changed.await;
        }
    }
}
