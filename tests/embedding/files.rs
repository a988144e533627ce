//! File operations that hang: who does them is ended at once, and they hold up nobody but their own tree.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use insula::{Exit, Grant, Host, Isolate, Limits, Module, ReceivePort, SendPort, Spawn};

use crate::harness::{self, Folder};

/// A folder with a file, and a pipe that nobody writes to.
fn folder() -> Folder {
    let folder = Folder::new("hangs");
    folder.file("file.txt", "content");
    let made = Command::new("mkfifo").arg(folder.path().join("never")).status();
    assert!(made.is_ok_and(|status| status.success()), "a pipe can be made");
    folder
}

struct House {
    host: Host,
    module: Module,
    folder: Folder,
    said: ReceivePort<String>,
}

impl House {
    fn new() -> House {
        let builder = Host::builder().isolates(16).threads(2).cache_folder(harness::cache());
        let host = builder.build().expect("there is room for a small host");
        let module = host.load_file(harness::guest("hangs_at_files")).expect("the guest is a module");
        let said = host.receive_port();
        House { host, module, folder: folder(), said }
    }

    fn spawn(&self, spawn: Spawn) -> Isolate {
        let limits = Limits::default().deadline(Duration::from_secs(60)).file_operations(2);
        let spawn = spawn.grant(Grant::read_only(self.folder.path(), "/data")).limits(limits);
        self.host.spawn(&self.module, spawn).expect("the folder can be given")
    }

    /// What an isolate of its own says that opens this.
    fn opens(&self, path: &str) -> String {
        let isolate = self.spawn(Spawn::entry("opens").message(&(path, self.said.send_port())));
        let said = self.said.recv().expect("it says something");
        assert_eq!(isolate.join(), Exit::Returned);
        said
    }
}

#[test]
fn s9_a_tree_has_so_many_file_operations_that_hang_and_holds_up_no_other() {
    let house = House::new();
    let asks = house.host.receive_port::<SendPort<()>>();
    let tree = house.spawn(Spawn::entry("hangs").message(&(house.said.send_port(), asks.send_port())));
    let refused = "Resource temporarily unavailable (os error 6)";
    assert_eq!(house.said.recv().as_deref(), Ok(refused), "a child is refused");
    assert_eq!(house.said.recv().as_deref(), Ok(refused), "so is its parent");
    assert_eq!(house.host.stuck_file_operations(), 2);
    assert_eq!(house.opens("/data/file.txt"), "opened");

    let freed = asks.recv().expect("it asks");
    let written = File::options().write(true).open(house.folder.path().join("never"));
    assert!(written.is_ok(), "both that hang read");
    freed.send(()).expect("it waits");
    assert_eq!(house.said.recv().as_deref(), Ok("opened"));
    assert_eq!(tree.join(), Exit::Returned);
}
