//! The last standard error of isolates that guests spawned, for an embedder that got their handles.

use insula::{Exit, Host, Isolate, Limits, Spawn};

use crate::harness;

/// The handles of so many that spoke and died, taken out of their messages when all were dead.
fn dead(count: u32, limits: Limits) -> Vec<Isolate> {
    let builder = Host::builder().isolates(100).threads(2).cache_folder(harness::cache()).on_uncaught(|_| ());
    let host = builder.build().expect("there is room");
    let module = host.load_file(harness::guest("last_words")).expect("the guest is a module");
    let (handles, gone) = (host.receive_port::<Isolate>(), host.receive_port::<()>());
    let spawn = Spawn::entry("run").message(&(count, handles.send_port(), gone.send_port())).limits(limits);
    assert_eq!(host.spawn(&module, spawn).expect("it has an entry").join(), Exit::Returned);
    assert_eq!(
        gone.messages().take(count as usize).collect::<Result<Vec<_>, _>>().map(|gone| gone.len()),
        Ok(count as usize)
    );
    // Until their Stores are dropped and their errors told, these hold what they said as well.
    let _ = host.shutdown(std::time::Duration::ZERO);
    let handles = handles.messages().take(count as usize).collect::<Result<Vec<_>, _>>();
    let handles = handles.expect("they are isolates");
    // Whoever listens is told a moment before everybody sees it dead.
    assert!(handles.iter().all(|handle| matches!(handle.join(), Exit::Panicked { .. })));
    handles
}

#[test]
fn the_last_words_of_an_isolate_that_a_guest_spawned_come_with_its_handle() {
    for (number, handle) in dead(3, Limits::default()).iter().enumerate() {
        let tail = handle.stderr_tail();
        assert!(tail.starts_with(&format!("the last words of {number}\n")), "{tail}");
    }
    let cut = dead(1, Limits::default().stderr(5))[0].stderr_tail();
    assert!(cut.ends_with("of 0\n"), "{cut}");
}

#[test]
fn the_host_keeps_the_last_words_of_the_last_dead_and_no_more() {
    let spoke = dead(70, Limits::default()).iter().filter(|handle| !handle.stderr_tail().is_empty()).count();
    assert_eq!(spoke, 64);
}
