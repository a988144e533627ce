//! A queue of tasks whose length is known without its lock.

use std::collections::VecDeque;

use crate::scheduler::Task;
use crate::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use crate::sync::{Arc, Mutex};

#[derive(Default)]
pub(super) struct Queue {
    tasks: Mutex<VecDeque<Arc<Task>>>,
    length: AtomicUsize,
}

impl Queue {
    pub(super) fn push(&self, task: Arc<Task>) {
        let mut tasks = self.tasks.lock();
        tasks.push_back(task);
        self.length.store(tasks.len(), SeqCst);
    }

    pub(super) fn pop(&self) -> Option<Arc<Task>> {
        if self.length.load(SeqCst) == 0 {
            return None;
        }
        let mut tasks = self.tasks.lock();
        let task = tasks.pop_front();
        self.length.store(tasks.len(), SeqCst);
        task
    }

    pub(super) fn steal_half(&self) -> VecDeque<Arc<Task>> {
        if self.length.load(SeqCst) == 0 {
            return VecDeque::new();
        }
        let mut tasks = self.tasks.lock();
        let half = tasks.len().div_ceil(2);
        let stolen = tasks.drain(..half).collect();
        self.length.store(tasks.len(), SeqCst);
        stolen
    }

    pub(super) fn take_all(&self) -> VecDeque<Arc<Task>> {
        let mut tasks = self.tasks.lock();
        self.length.store(0, SeqCst);
        std::mem::take(&mut *tasks)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length.load(SeqCst) == 0
    }
}
