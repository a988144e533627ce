//! Operations that hang until the test lets them go.

use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Waker};

use super::*;

/// An operation that hangs until the test lets it go, as wasmtime-wasi does one; it says when it has begun.
struct Hangs {
    begun: Receiver<()>,
    go: Sender<()>,
}

type Operation = Pin<Box<dyn Future<Output = Result<(), AllStuck>> + Send>>;

fn hangs(work: &Arc<FileWork>) -> (Hangs, Operation) {
    let ((says_begun, begun), (go, gone)) = (mpsc::channel(), mpsc::channel());
    let work = Arc::clone(work);
    let operation = async move {
        let blocks = async move {
            let hanging = tokio::task::spawn_blocking(move || {
                let _ = says_begun.send(());
                let _ = gone.recv();
            });
            hanging.await.expect("it does not panic");
        };
        work.run(blocks).await
    };
    (Hangs { begun, go }, Box::pin(operation))
}

impl Hangs {
    fn has_begun(&self) {
        self.begun.recv().expect("the operation is there");
    }

    fn let_go(self) {
        self.go.send(()).expect("the operation is there");
    }
}

/// Begins one that hangs.
fn begun(work: &Arc<FileWork>) -> (Hangs, Operation) {
    let (hangs, mut operation) = hangs(work);
    assert!(poll(&mut operation).is_none());
    hangs.has_begun();
    (hangs, operation)
}

fn poll(operation: &mut Operation) -> Option<Result<(), AllStuck>> {
    match operation.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

fn awaited(operation: impl Future<Output = Result<(), AllStuck>>) -> Result<(), AllStuck> {
    Builder::new_current_thread().build().expect("a runtime").block_on(operation)
}

/// Waits until this many of the host are left behind.
fn left_behind(desks: &Arc<Desks>, many: usize) {
    let all = async {
        loop {
            let mut changed = pin!(desks.changed.notified());
            changed.as_mut().enable();
            if desks.left_behind() == many {
                return Ok(());
            }
            changed.await;
        }
    };
    assert_eq!(awaited(all), Ok(()));
}

#[test]
fn s9_who_is_left_behind_counts_until_it_is_over() {
    let desks = Desks::new();
    let (tree, other) = (desks.of_tree(2), desks.of_tree(2));
    let (first, first_operation) = begun(&tree);
    let (second, second_operation) = begun(&tree);
    drop((first_operation, second_operation));
    assert_eq!(desks.left_behind(), 2);
    let (_, mut third) = hangs(&tree);
    assert_eq!(poll(&mut third), Some(Err(AllStuck)), "nobody is there to wait for");
    assert_eq!(awaited(other.run(async {})), Ok(()), "another tree does not notice");

    first.let_go();
    left_behind(&desks, 1);
    assert_eq!(awaited(tree.run(async {})), Ok(()));
    second.let_go();
    left_behind(&desks, 0);
    assert_eq!(desks.state.lock().all.under_way, 0);
}

#[test]
fn who_finds_all_taken_waits_for_one_that_is_not_stuck() {
    let tree = Desks::new().of_tree(1);
    let (first, first_operation) = begun(&tree);
    let (second, mut second_operation) = hangs(&tree);
    assert!(poll(&mut second_operation).is_none());
    assert!(second.begun.try_recv().is_err(), "it has not begun");
    first.let_go();
    assert_eq!(awaited(first_operation), Ok(()));
    assert!(poll(&mut second_operation).is_none());
    second.has_begun();
    let (_, mut third) = hangs(&tree);
    assert!(poll(&mut third).is_none());
    drop(second_operation);
    assert_eq!(awaited(third), Err(AllStuck), "who waits for one that is left behind is told");
    second.let_go();
}

#[test]
fn one_that_had_not_begun_never_does() {
    let desks = Desks::at_most(1);
    let tree = desks.of_tree(1);
    let (first, first_operation) = begun(&tree);
    let (waits, mut operation) = hangs(&tree);
    assert!(poll(&mut operation).is_none());
    drop(operation);
    assert!(waits.begun.recv().is_err(), "what it would have done is gone");
    first.let_go();
    assert_eq!(awaited(first_operation), Ok(()));
    assert_eq!((desks.left_behind(), desks.state.lock().free.len()), (0, 1));
}

#[test]
fn a_host_has_so_many_threads_for_all_trees() {
    let desks = Desks::at_most(2);
    let (one, other) = (desks.of_tree(1), desks.of_tree(3));
    let (first, first_operation) = begun(&one);
    let (second, second_operation) = begun(&other);
    drop((first_operation, second_operation));
    assert_eq!(awaited(other.run(async {})), Err(AllStuck));
    first.let_go();
    left_behind(&desks, 1);
    assert_eq!(awaited(other.run(async {})), Ok(()));
    second.let_go();
}

#[test]
fn what_hangs_at_the_end_of_the_host_is_left_to_itself() {
    let desks = Desks::new();
    let (hanging, operation) = begun(&desks.of_tree(1));
    desks.close();
    drop(operation);
    assert_eq!(desks.left_behind(), 1);
    hanging.let_go();
    left_behind(&desks, 0);
    assert!(desks.state.lock().free.is_empty(), "its thread is ended");
}
