//! A host function has room for everybody, however many calls one plugin makes of it.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use insula::{Caller, Function, Host, Spawn};

use super::functions::{Order, Plugin, host, opened, told};

/// What a plugin has whose calls stay until the test lets them go.
struct Greedy;

/// A function that doubles, at once for the modest. It says who of the greedy came in.
struct Doubles {
    function: Function<u64, Result<u64, String>>,
    came: Receiver<()>,
    open: Sender<()>,
}

impl Doubles {
    fn of(host: &Host) -> Doubles {
        let (tell, came) = channel();
        let (open, opened) = channel::<()>();
        let opened = Mutex::new(opened);
        let function = host.function("double", move |caller: &Caller, number: u64| {
            if caller.data::<Greedy>().is_some() {
                tell.send(()).ok();
                opened.lock().expect("no panic").recv().ok();
            }
            Ok::<u64, String>(number * 2)
        });
        Doubles { function: function.expect("there are threads"), came, open }
    }

    /// Has the greedy fill what it may, and sees others called meanwhile.
    fn serves_all(self, host: &Host, places: usize) {
        let spawn = || Spawn::entry("run").function(&self.function);
        let greedy = opened(host, spawn().data(Greedy));
        let modest: [Plugin; 3] = [(); 3].map(|()| opened(host, spawn()));
        std::thread::scope(|scope| {
            let flood = scope.spawn(|| told(&greedy, Order::Many(300)));
            (0..places).for_each(|_| self.came.recv().expect("it calls"));
            for plugin in &modest {
                assert_eq!(told(plugin, Order::Double(12)), "Ok(24)");
                assert_eq!(told(plugin, Order::Many(50)), "2450");
            }
            assert_eq!(self.came.try_recv(), Err(TryRecvError::Empty), "one more of the greedy was let in");
            drop(self.open);
            assert_eq!(flood.join().expect("no panic"), "89700", "all were called in the end");
        });
    }
}

#[test]
fn a_plugin_that_calls_without_end_leaves_places_for_others() {
    let host = host();
    Doubles::of(&host).serves_all(&host, 4);
    let doubles = Doubles::of(&host);
    Doubles { function: doubles.function.at_once(2).at_once_each(1), ..doubles }.serves_all(&host, 1);
}

#[test]
fn a_plugin_that_calls_without_end_leaves_threads_for_others() {
    let host = host();
    let doubles = Doubles::of(&host);
    // A quarter of the sixteen, whatever the function allows.
    Doubles { function: doubles.function.at_once(64).at_once_each(64), ..doubles }.serves_all(&host, 4);
}

#[test]
fn a_plugin_whose_calls_wait_in_thousands_is_told_that_they_are_too_many() {
    let host = host();
    let Doubles { function, came, open } = Doubles::of(&host);
    let greedy = opened(&host, Spawn::entry("run").function(&function).data(Greedy));
    let modest = opened(&host, Spawn::entry("run").function(&function));
    let refused = told(&greedy, Order::Flood(1_200));
    assert!(refused.contains("too many calls of the host function `double` wait already"), "{refused}");
    assert_eq!(told(&modest, Order::Double(12)), "Ok(24)");
    assert_eq!(came.try_iter().count(), 4);
    drop(open);
    // What waits is called now, and then there is room again.
    let served = std::iter::repeat_with(|| told(&greedy, Order::Double(4))).find(|answer| !answer.contains("too many"));
    assert_eq!(served.as_deref(), Some("Ok(8)"));
}
