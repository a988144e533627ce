//! Who joins a flight gets what it brings; a flight lands whatever happens, and gives its place back.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::engine::{Kind, compiling_engine};
use crate::error::ChildFailure;

/// A folder with a gate, at which children wait.
struct Gate(PathBuf);

impl Gate {
    fn new(name: &str) -> Gate {
        let path = std::env::temp_dir().join(format!("insula-workshop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path.join("gate")).status().unwrap();
        assert!(made.success());
        Gate(path)
    }

    /// A child that ends with this code, behind the gate.
    fn child(&self, code: u8) -> CompileChild {
        let script = format!("until read go < \"$1\"; do :; done; exit {code}");
        CompileChild::program("/bin/sh").arg("-c").arg(script).arg("sh").arg(self.0.join("gate"))
    }

    /// Waits until a child waits.
    fn knock(&self) -> File {
        File::options().write(true).open(self.0.join("gate")).unwrap()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn order(workshop: &Arc<Workshop>, digest: u8) -> Order {
    Order {
        name: "module".to_owned(),
        workshop: Arc::clone(workshop),
        engine: compiling_engine(Kind::Checked, 4 << 30).unwrap(),
        trial: Trial::of(Kind::Checked, 4 << 30),
        folder: None,
        digest: [digest; 32],
        found: None,
        bytes: Arc::new(b"\0asm\x01\0\0\0".to_vec()),
        _places: Arc::new(Places::take(1).unwrap()),
    }
}

fn failure(brought: Result<(Module, Option<Arc<Flight>>), Refusal>) -> ChildFailure {
    match brought.map(|_| ()) {
        Err(Refusal::Child { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_failure_of_a_flight_is_that_of_all_who_joined_it() {
    let (gate, flights) = (Gate::new("failure"), Flights::default());
    let workshop = Workshop::new(CompileLimits::default(), Some(gate.child(7)), &World::new());
    std::thread::scope(|threads| {
        let brought = || failure(flights.bring(order(&workshop, 1), || None));
        let leader = threads.spawn(brought);
        let mut child = gate.knock();
        let followers = [(); 2].map(|()| threads.spawn(brought));
        let joined = || flights.0.lock().values().map(Weak::strong_count).sum::<usize>();
        // The leader, the threads of the compile, and both followers.
        while joined() < 4 {
            std::thread::yield_now();
        }
        child.write_all(b"go\n").unwrap();
        for waiting in followers.into_iter().chain([leader]) {
            assert_eq!(waiting.join().unwrap(), ChildFailure::Ended { code: 7 });
        }
    });
    assert_eq!(workshop.taken.lock().places, 0);
    assert_eq!(workshop.left_behind(), 0);
}

#[test]
fn a_load_waits_for_a_place_and_is_refused_where_none_becomes_free() {
    let (gate, flights) = (Gate::new("place"), Flights::default());
    let limits = CompileLimits::default().at_once(1);
    let patient = Workshop::new(limits.clone(), Some(gate.child(7)), &World::new());
    std::thread::scope(|threads| {
        let first = threads.spawn(|| failure(flights.bring(order(&patient, 1), || None)));
        let mut child = gate.knock();
        let second = threads.spawn(|| failure(flights.bring(order(&patient, 2), || None)));
        child.write_all(b"go\n").unwrap();
        drop(child);
        assert_eq!(first.join().unwrap(), ChildFailure::Ended { code: 7 });
        gate.knock().write_all(b"go\n").unwrap();
        assert_eq!(second.join().unwrap(), ChildFailure::Ended { code: 7 });
    });
    let hasty = Workshop::new(limits.wall(Duration::from_millis(1)), None, &World::new());
    let held = hasty.place().unwrap();
    let refused = hasty.place().map(|_| ());
    assert!(matches!(refused, Err(Refusal::Busy { at_once: 1, left_behind: 0 })), "{refused:?}");
    drop(held);
    assert!(hasty.place().is_ok());
}

#[test]
fn the_largest_limits_are_no_limits() {
    let limits = CompileLimits::default().wall(Duration::MAX).at_once(u32::MAX).bytes(u64::MAX);
    let child = CompileChild::program("/bin/sh").arg("-c").arg("exit 7").cpu_time(Duration::MAX).memory(u64::MAX);
    let workshop = Workshop::new(limits, Some(child), &World::new());
    assert_eq!(failure(Flights::default().bring(order(&workshop, 1), || None)), ChildFailure::Ended { code: 7 });
    assert_eq!(workshop.taken.lock().places, 0);
}

#[test]
fn a_flight_whose_leader_is_lost_lands() {
    let (flights, workshop) = (Flights::default(), Workshop::new(CompileLimits::default(), None, &World::new()));
    let known = flights.bring(order(&workshop, 1), || None).map(|_| ());
    assert!(known.is_ok(), "{known:?}");
    let state = State { stage: Stage::Queued, overdue: false, child: None };
    let flight = Arc::new(Flight { state: Mutex::new(state), bell: Doorbell::default(), workshop });
    drop(Lead(Arc::clone(&flight)));
    assert!(matches!(flight.wait().map(|_| ()), Err(Refusal::Compile(_))));
}

#[test]
fn a_panic_of_the_compiler_is_told() {
    let panic = catch_unwind(|| panic!("at {}", Path::new("here").display())).unwrap_err();
    assert!(matches!(panicked(panic.as_ref()), Refusal::Compile(text) if text == "the compiler panicked: at here"));
}
