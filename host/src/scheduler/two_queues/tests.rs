//! Workers whose tasks cannot be preempted, with tasks that the test itself holds up; and a worker that the test is itself.

use std::future::poll_fn;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Poll;

use super::super::{Estate, Hooks, Kept, YieldSlice};
use super::*;
use crate::control::{Accounts, Census, Control, Cradle, Lineage};
use crate::event::Recorder;
use crate::exit::{Exit, IsolateId};
use crate::port::{CapabilityId, Mailbox, Room};
use crate::sync::Doorbell;
use crate::world::World;

fn control(id: u64) -> Arc<Control> {
    let id = IsolateId(id);
    Control::new(Cradle {
        id,
        lineage: Lineage::new(id, None),
        mailbox: Mailbox::new(Room { messages_max: 1, bytes_max: 1, message_bytes_max: 1, ports_max: 1 }),
        handles_max: 1,
        blob_bytes_max: 1,
        accounts: Accounts::default(),
        alarm: None,
        pause_capability: CapabilityId(1),
        terminate_capability: CapabilityId(2),
        census: Arc::new(Census::default()),
        name: String::new(),
        paused: false,
        errors_fatal: true,
    })
}

/// A scheduler without preemption, and what starts tasks on it.
struct Bench {
    scheduler: Arc<dyn Scheduler>,
    shared: Arc<Shared>,
    hooks: Arc<Hooks>,
    world: Arc<World>,
}

impl Bench {
    fn new(threads: usize) -> Bench {
        Bench::of(TwoQueues::named("test", Workers::Exactly(threads), None))
    }

    fn of(scheduler: Arc<TwoQueues>) -> Bench {
        let shared = Arc::clone(&scheduler.shared);
        let cut_short = Box::new(|control: &Arc<Control>, _| drop(control.die(Exit::HostClosed, || {})));
        let hooks = Arc::new(Hooks { cut_short, recorder: Recorder::new(|_| None), interrupt: Box::new(|| {}) });
        Bench { scheduler, shared, hooks, world: World::new() }
    }

    fn launch(&self, control: &Arc<Control>, life: impl Future<Output = ()> + Send + 'static) {
        self.launch_living(control, async {
            life.await;
            None
        });
    }

    fn launch_living(&self, control: &Arc<Control>, life: impl Future<Output = Estate> + Send + 'static) {
        let kept = Kept { metered: false, timed: false };
        Task::launch(Box::pin(life), Arc::clone(control), &self.scheduler, &self.hooks, &self.world, kept);
    }

    /// A task that has begun and does not end before the sender goes. The receiver says when it is gone.
    fn held_up(&self, control: &Arc<Control>) -> (Sender<()>, Receiver<()>) {
        let ((begun, has_begun), (held, holds), (here, is_gone)) =
            (mpsc::channel::<()>(), mpsc::channel::<()>(), mpsc::channel::<()>());
        self.launch(control, async move {
            let _here = here;
            drop(begun);
            let _ = holds.recv();
        });
        let _ = has_begun.recv();
        (held, is_gone)
    }
}

#[test]
fn a_task_that_runs_on_is_left_behind_and_ends_with_its_thread() {
    let bench = Bench::new(2);
    let (held, is_gone) = bench.held_up(&control(1));
    bench.scheduler.close();
    drop(bench);
    assert!(is_gone.try_recv().is_err_and(|error| error == mpsc::TryRecvError::Empty), "it runs on");
    drop(held);
    assert!(is_gone.recv().is_err(), "it is dropped where it ends");
}

#[test]
fn a_kill_of_what_runs_acts_where_it_waits_though_it_was_woken_meanwhile() {
    let bench = Bench::new(1);
    let (control, (held, holds)) = (control(1), mpsc::channel::<()>());
    let ((begun, has_begun), (here, is_gone)) = (mpsc::channel::<()>(), mpsc::channel::<()>());
    let mut begun = Some(begun);
    bench.launch(
        &control,
        poll_fn(move |cx| {
            let _ = &here;
            // Whoever is to end is not polled again: it would be over then, and not have ended.
            if begun.take().is_none() {
                return Poll::Ready(());
            }
            let _ = holds.recv();
            cx.waker().wake_by_ref();
            Poll::Pending
        }),
    );
    let _ = has_begun.recv();
    control.end_now(Exit::HostClosed);
    assert_eq!(control.exit(), None);
    drop(held);
    assert!(is_gone.recv().is_err());
    assert_eq!(control.exit(), Some(Exit::HostClosed));
    bench.scheduler.close();
}

#[test]
fn one_that_runs_on_holds_up_its_own_thread_only() {
    let bench = Bench::new(2);
    let (held, _is_gone) = bench.held_up(&control(1));
    let (done, is_done) = mpsc::channel();
    for id in 2..100 {
        let done = done.clone();
        bench.launch(&control(id), async move { done.send(id).unwrap() });
    }
    assert_eq!(is_done.iter().take(98).count(), 98);
    drop(held);
    bench.scheduler.close();
}

#[test]
fn a_worker_has_a_thread_when_there_is_work_for_it_and_none_after_the_end() {
    let bench = Bench::new(3);
    let without_thread = || bench.shared.without_thread.load(Relaxed);
    assert_eq!(without_thread(), 3);
    let held: Vec<_> = (1..=3).map(|id| bench.held_up(&control(id))).collect();
    assert_eq!(without_thread(), 0, "each of the three has a thread of its own");
    drop(held);
    bench.scheduler.close();
    let late = Bench::new(2);
    late.scheduler.close();
    assert!(!late.shared.start_worker());
}

#[test]
fn what_the_dead_leave_is_dropped_although_others_are_always_ready() {
    let bench = Bench::new(1);
    let ((here, is_gone), (over, is_over)) = (mpsc::channel::<()>(), mpsc::channel::<()>());
    // It is ready again after every turn until the other one's estate is gone.
    bench.launch(
        &control(1),
        poll_fn(move |cx| {
            let _ = &over;
            if is_gone.try_recv() == Err(mpsc::TryRecvError::Disconnected) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }),
    );
    bench.launch_living(&control(2), async move { Some(Box::new(here) as Box<dyn Send>) });
    assert!(is_over.recv().is_err());
    bench.scheduler.close();
}

/// What is waited for by who visits.
#[derive(Default)]
struct Ended {
    bell: Doorbell,
    ended: AtomicBool,
}

impl Ended {
    fn end(&self) {
        self.ended.store(true, SeqCst);
        self.bell.ring();
    }

    fn visited(self: &Arc<Ended>, visit: &Visit) {
        let told = Arc::clone(self);
        visit.until(&self.bell, move || told.ended.load(SeqCst), || self.ended.load(SeqCst).then_some(()), || ());
    }
}

#[test]
fn who_visits_runs_what_is_queued_and_no_thread_begins() {
    let (bench, ended) = (Bench::new(1), Arc::new(Ended::default()));
    let visit = bench.scheduler.visit().unwrap();
    assert!(bench.scheduler.works_here() && bench.scheduler.visit().is_none(), "it is a worker already");
    std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| bench.scheduler.works_here() || bench.scheduler.visit().is_some());
        assert!(!elsewhere.join().unwrap(), "there is one place");
    });
    bench.scheduler.staff().unwrap();
    let theirs = Arc::clone(&ended);
    bench.launch(&control(1), async move { theirs.end() });
    ended.visited(&visit);
    drop(visit);
    assert!(!bench.scheduler.works_here());
    assert_eq!(bench.shared.without_thread.load(Relaxed), 1, "no thread has begun");
    bench.scheduler.staff().unwrap();
    assert!(bench.scheduler.visit().is_none(), "its one worker has a thread now");
    bench.scheduler.close();
}

#[test]
fn who_visits_is_woken_by_a_ring_and_by_work_that_others_bring() {
    let (bench, ended) = (Bench::new(1), Arc::new(Ended::default()));
    let visit = bench.scheduler.visit().unwrap();
    let theirs = Arc::clone(&ended);
    std::thread::scope(|scope| {
        scope.spawn(|| bench.launch(&control(1), async move { theirs.bell.ring() }));
        scope.spawn(|| {
            while bench.shared.idle_count.load(SeqCst) == 0 {
                std::thread::yield_now();
            }
            ended.end();
        });
        ended.visited(&visit);
    });
}

#[test]
fn what_who_visits_leaves_is_run_by_a_thread() {
    let bench = Bench::new(2);
    let (done, is_done) = mpsc::channel();
    let visit = bench.scheduler.visit().unwrap();
    for id in 1..=3 {
        let done = done.clone();
        bench.launch(&control(id), async move {
            done.send(std::thread::current().name().map(str::to_owned)).unwrap();
        });
    }
    assert!(is_done.try_recv().is_err(), "it does not work yet");
    drop(visit);
    let names: Vec<Option<String>> = is_done.iter().take(3).collect();
    assert!(names.iter().flatten().all(|name| name.starts_with("test-")), "{names:?}");
    bench.scheduler.close();
}

#[test]
fn who_visits_fires_timers_where_the_system_has_no_thread_for_that() {
    let world = World::new();
    let preemption = Preemption { ticker: Ticker::without_thread(&world), interrupt: Box::new(|| {}) };
    let bench = Bench { world, ..Bench::of(TwoQueues::named("test", Workers::Exactly(1), Some(preemption))) };
    let (ended, world) = (Arc::new(Ended::default()), Arc::clone(&bench.world));
    let visit = bench.scheduler.visit().unwrap();
    let theirs = Arc::clone(&ended);
    bench.launch(&control(1), async move {
        let ends = world.after(std::time::Duration::from_millis(1));
        assert!(crate::until::within(&world, ends, std::future::pending::<()>()).await.is_none());
        theirs.end();
    });
    ended.visited(&visit);
}

/// How often a hog that this worker runs is interrupted for the sake of somebody who becomes ready on another one.
fn interrupts_of_a_hog(ticks_unserved: u64) -> usize {
    let (world, interrupts) = (World::new(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&interrupts);
    let interrupt = Box::new(move || _ = counted.fetch_add(1, SeqCst));
    let two_queues = TwoQueues::new(2, Some(Preemption { ticker: Ticker::new(&world), interrupt }));
    let shared = Arc::clone(&two_queues.shared);
    let scheduler: Arc<dyn Scheduler> = Arc::new(two_queues);
    let hooks = Arc::new(Hooks {
        cut_short: Box::new(|_, _| ()),
        recorder: Recorder::new(|_| None),
        interrupt: Box::new(|| {}),
    });
    let (told, mut turns) = (Arc::clone(&shared), 0);
    let life = poll_fn(move |cx| {
        turns += 1;
        if turns <= 2 {
            return std::pin::pin!(YieldSlice::new()).poll(cx).map(|()| None);
        }
        (0..3).for_each(|_| told.notify());
        Poll::Ready(None)
    });
    let kept = Kept { metered: false, timed: false };
    Task::launch(Box::pin(life), control(1), &scheduler, &hooks, &world, kept);
    let local = Local::new(Arc::clone(&shared), 0);
    for ticks in [0, 0, ticks_unserved] {
        shared.ticks.fetch_add(ticks, SeqCst);
        local.run(local.next().expect("it is ready"));
    }
    assert!(local.next().is_none(), "it is over");
    interrupts.load(SeqCst)
}

#[test]
fn a_hog_that_is_overdue_is_interrupted_for_nobody_and_any_other_is_once() {
    assert_eq!(interrupts_of_a_hog(PREEMPTED_WAIT_TICKS - 1), 1);
    assert_eq!(interrupts_of_a_hog(PREEMPTED_WAIT_TICKS), 0);
}
