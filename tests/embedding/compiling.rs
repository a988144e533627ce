//! How modules are compiled: within limits, off the caller's thread, once for all who want the same, and for nobody who is
//! gone.

use std::path::Path;
use std::time::Duration;

use insula::{
    BuildError, CompileLimits, Exit, Grant, Host, HostBuilder, Killer, Limits, LoadError, Loading, Module, Phase,
    Priority, Sha256, Spawn,
};

use super::children::Children;
use crate::harness::Folder;

fn builder() -> HostBuilder {
    Host::builder().isolates(4).threads(1)
}

fn built(builder: HostBuilder) -> Host {
    builder.build().expect("there is room for a small host")
}

fn limited(limits: CompileLimits) -> Host {
    built(builder().compile_limits(limits))
}

fn refused(host: &Host, name: &str, bytes: &[u8]) -> LoadError {
    host.load(name, bytes).map(|_| ()).expect_err("it exceeds a limit")
}

fn loaded(loading: Loading) -> Result<Module, LoadError> {
    tokio::runtime::Builder::new_current_thread().build().expect("there are threads").block_on(loading)
}

/// A module whose compile takes seconds, and surely longer than a wait of a millisecond.
fn long() -> String {
    let body = "local.get 0 i32.const 3 i32.mul i32.load local.set 0 ".repeat(200);
    format!("(module (memory 1) {})", format!("(func (param i32) {body})").repeat(400))
}

/// A guest that wants the module `plugin`, and waits for it.
const WANTS: &str = r#"(module
    (import "insula:isolate/isolates@0.1.0" "spawn-module" (func $spawn (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "plugin")
    (func (export "run")
        (drop (call $spawn (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 512)))))"#;

const PLUGIN: &str = "(module (func (export \"_start\")))";

#[test]
fn a_limit_of_compiling_names_itself_its_value_and_what_was_found() {
    let limits = CompileLimits::default().bytes(200).functions(2).function_bytes(30);
    let host = limited(limits);
    let text = format!("(module (func)) ;; {}", "x".repeat(200));
    let error = refused(&host, "text", text.as_bytes());
    assert!(matches!(error, LoadError::Limit { which: "bytes", limit: 200, found, .. } if found == text.len() as u64));
    let binary = wat::parse_str(format!("(module (memory 1) (data (i32.const 0) \"{}\"))", "x".repeat(200)));
    let binary = binary.expect("the text is a module");
    let error = refused(&host, "binary", &binary);
    let said = format!("binary: bytes: {}, and at most 200 is compiled (CompileLimits::bytes)", binary.len());
    assert_eq!(error.to_string(), said);

    // Of a file no more is read than that. This one has no end.
    let endless = host.load_file("/dev/zero").map(|_| ()).expect_err("it is too long");
    assert!(matches!(endless, LoadError::Limit { which: "bytes", limit: 200, found: 201, .. }), "{endless}");

    let error = refused(&host, "three", b"(module (func) (func) (func))");
    assert!(matches!(error, LoadError::Limit { which: "functions", limit: 2, found: 3, .. }), "{error}");
    let error = refused(&host, "large", format!("(module (func {}))", "nop ".repeat(40)).as_bytes());
    assert!(matches!(error, LoadError::Limit { which: "function_bytes", limit: 30, found: 42, .. }), "{error}");
    host.load("small", b"(module (func) (func))").expect("it is within the limits");

    // What is refused is refused from the cache too.
    let folder = Folder::new("limited");
    let cached = |limits| built(builder().cache_folder(folder.path()).compile_limits(limits));
    cached(CompileLimits::default()).load("two", b"(module (func) (func))").expect("it is a module");
    let error = refused(&cached(CompileLimits::default().functions(1)), "two", b"(module (func) (func))");
    assert!(matches!(error, LoadError::Limit { which: "functions", limit: 1, found: 2, .. }), "{error}");
}

#[test]
fn a_host_that_could_never_compile_is_not_built() {
    let limits = CompileLimits::default();
    let no_program = builder().compile_in_child(insula::CompileChild::program("insula"));
    for (builder, named) in [
        (builder().compile_limits(limits.clone().at_once(0)), "at_once"),
        (builder().compile_limits(limits.wall(Duration::ZERO)), "wall"),
        (no_program, "absolute"),
    ] {
        let error = builder.build().map(|_| ()).expect_err("it has no meaning");
        assert!(matches!(error, BuildError::Invalid(text) if text.contains(named)), "{error}");
    }
}

#[test]
fn a_compile_that_takes_too_long_is_left_behind_counted_and_kept() {
    let folder = Folder::new("too-long");
    let limits = CompileLimits::default().wall(Duration::from_millis(1)).at_once(1);
    let host = built(builder().cache_folder(folder.path()).compile_limits(limits));
    let text = long();
    let error = refused(&host, "long", text.as_bytes());
    assert_eq!(error.to_string(), "long: not compiled within 1ms (CompileLimits::wall)");
    assert_eq!(host.compiles_left_behind(), 1);
    // It has the one place, and nobody knows for how long.
    let error = refused(&host, "other", b"(module)");
    assert!(matches!(error, LoadError::Busy { at_once: 1, left_behind: 1, .. }), "{error}");
    while host.compiles_left_behind() > 0 {
        std::thread::yield_now();
    }
    let module = host.load("long", text.as_bytes()).expect("it is in the cache now");
    assert_eq!(module.name(), "long");
}

#[test]
fn a_left_behind_compile_holds_up_no_other() {
    let folder = Folder::new("no-other");
    let limits = CompileLimits::default().wall(Duration::from_millis(1)).at_once(2);
    let host = built(builder().cache_folder(folder.path()).compile_limits(limits));
    let text = long();
    refused(&host, "long", text.as_bytes());
    // It too may take more than its millisecond, and is found in the cache then, but not more than what was left behind.
    while host.load("small", b"(module (func (export \"run\")))").is_err() {}
    assert_eq!(host.compiles_left_behind(), 1, "the small one is done, and the long one is not");
}

#[test]
fn a_load_aside_is_a_future_of_any_executor() {
    let host = built(builder());
    let folder = Folder::new("aside");
    let file = folder.file("plugin.wat", PLUGIN);
    let (bytes, from_file) = (host.load_async("plugin", PLUGIN), host.load_file_async(&file));
    let (one, other) = (loaded(bytes).expect("it is a module"), loaded(from_file).expect("it is a module"));
    assert_eq!((one.name(), other.name()), ("plugin", file.to_str().expect("the path is UTF-8")));
    let isolate = host.spawn(&other, Spawn::main()).expect("it has a main");
    assert_eq!((isolate.join(), one.digest()), (Exit::Returned, other.digest()));
    let missing = loaded(host.load_file_async(folder.path().join("missing.wat"))).map(|_| ());
    assert!(matches!(missing, Err(LoadError::Io { .. })));
    let broken = loaded(host.load_async("broken", "(module")).map(|_| ());
    assert!(matches!(broken, Err(LoadError::NotWasm { .. })));
}

#[test]
fn a_load_aside_that_is_dropped_goes_on() {
    let children = Children::new("dropped");
    let host = built(builder().compile_in_child(children.gated()).cache_folder(children.folder().path().join("cache")));
    let loading = host.load_async("plugin", PLUGIN);
    let held_up = children.held_up();
    drop(loading);
    held_up.go();
    host.load("plugin", PLUGIN.as_bytes()).expect("it joins that compile, or finds it in the cache");
    assert_eq!(children.count(), 1);
}

#[test]
fn a_load_aside_ends_when_its_host_does() {
    let children = Children::new("closed");
    let limits = CompileLimits::default().at_once(1);
    let host = built(builder().compile_in_child(children.gated()).compile_limits(limits));
    let under_way = host.load_async("one", PLUGIN);
    let held_up = children.held_up();
    let queued = host.load_async("two", "(module)");
    drop(host);
    for (loading, called) in [(queued, "two"), (under_way, "one")] {
        let closed = loaded(loading).map(|_| ()).expect_err("the host is gone");
        assert!(matches!(&closed, LoadError::HostClosed { name } if name == called), "{closed}");
    }
    held_up.go();
}

#[test]
fn two_who_load_the_same_compile_it_once() {
    let children = Children::new("once");
    let host = built(builder().compile_in_child(children.gated()));
    let one = host.load_async("one", PLUGIN);
    let held_up = children.held_up();
    let two = host.load_async("two", PLUGIN);
    std::thread::scope(|threads| {
        let three = threads.spawn(|| host.load("three", PLUGIN.as_bytes()));
        held_up.go();
        let three = three.join().expect("a load does not panic");
        let all = [loaded(one), loaded(two), three].map(|module| module.expect("it is a module"));
        assert_eq!(all.each_ref().map(Module::name), ["one", "two", "three"]);
        assert_eq!(children.count(), 1);
    });
}

#[test]
fn a_trusted_module_is_another_compile_than_the_same_bytes_checked() {
    let children = Children::new("kinds");
    let host = built(builder().trusted_isolates(1).compile_in_child(children.counted()));
    let checked = host.load("plugin", PLUGIN.as_bytes()).expect("it is a module");
    let trusted = host.load_trusted("plugin", PLUGIN.as_bytes()).expect("it is a module");
    assert_eq!((checked.is_trusted(), trusted.is_trusted(), children.count()), (false, true, 2));
}

/// A guest that waits for a module, whose compile is held up, and what ends the guest meanwhile.
fn ended_while_it_waits(name: &str, limits: Limits, end: impl Fn(&insula::Isolate)) -> Exit {
    let children = Children::new(name);
    let cache = children.folder().path().join("cache");
    let host = built(builder().cache_folder(&cache).compile_in_child(children.gated()));
    // Not compiled by the child: this host finds the guest in the cache.
    drop(built(builder().cache_folder(&cache)).load("wants", WANTS.as_bytes()).expect("it is a module"));
    host.offer_file("plugin", children.folder().file("plugin.wat", PLUGIN));
    let guest = host.load("wants", WANTS.as_bytes()).expect("it is a module");
    let isolate =
        host.spawn(&guest, Spawn::entry("run").grant(Grant::modules()).limits(limits)).expect("there is room");
    let held_up = children.held_up();
    end(&isolate);
    let exit = isolate.join();
    assert_eq!((host.live(), children.count()), (0, 1), "it is gone, and the compile is not over");
    held_up.go();
    let module = host.load("plugin", PLUGIN.as_bytes()).expect("it joins that compile, or finds it in the cache");
    assert_eq!(children.count(), 1);
    assert_eq!(host.spawn(&module, Spawn::main()).expect("there is room").join(), Exit::Returned);
    exit
}

#[test]
fn a_guest_that_waits_for_a_compile_is_killed_and_the_compile_goes_on() {
    let exit = ended_while_it_waits("killed", Limits::default(), |isolate| isolate.kill(Priority::Immediate));
    assert_eq!(exit, Exit::Killed { by: Killer::Embedder });
}

#[test]
fn s9_1_a_deadline_finds_a_guest_that_waits_for_a_compile() {
    let limits = Limits::default().deadline(Duration::from_millis(300));
    let exit = ended_while_it_waits("overdue", limits, |_| {});
    assert_eq!(exit, Exit::Deadline { phase: Phase::Waiting { call: "isolates.spawn-module".to_owned() } });
}

/// The digest of what was read ahead of a host, on another thread.
fn read_ahead(builder: HostBuilder, path: &Path) -> Result<Sha256, LoadError> {
    let (ahead, read) = builder.read_ahead(path);
    std::thread::scope(|scope| {
        scope.spawn(read);
        built(builder).load_ahead(ahead).map(|module| module.digest())
    })
}

#[test]
fn a_file_is_read_while_its_host_is_made() {
    let folder = Folder::new("read-ahead");
    let (path, cache) = (folder.path().join("module.wat"), folder.path().join("cache"));
    let builder = || builder().cache_folder(&cache);
    let answers = |answer: u32| format!("(module (func (export \"run\") (result i32) i32.const {answer}))");

    assert!(matches!(read_ahead(builder(), &path), Err(LoadError::Io { .. })), "it is not there yet");
    std::fs::write(&path, answers(1)).expect("it can be written");
    let first = read_ahead(builder(), &path).expect("it is there now");
    // Of the text there is nothing to be found ahead but the text, of the binary its code as well.
    std::fs::write(&path, wat::parse_str(answers(1)).expect("it is WAT")).expect("it can be written");
    for _ in 0..2 {
        assert_eq!(read_ahead(builder(), &path).expect("it is a module"), first);
    }

    // What is loaded is what was read, and where nothing was read the file is.
    let other = |read: fn(Box<dyn FnOnce() + Send>)| {
        std::fs::write(&path, answers(1)).expect("it can be written");
        let (ahead, job) = builder().read_ahead(&path);
        read(job);
        std::fs::write(&path, answers(2)).expect("it can be written");
        built(builder()).load_ahead(ahead).expect("it is a module").digest()
    };
    assert_eq!(other(|read| read()), first);
    assert_ne!(other(drop), first);
}

/// Code without fuel would count none.
#[test]
fn code_that_was_found_for_other_settings_is_not_used() {
    let folder = Folder::new("read-ahead-other");
    let path =
        folder.file("spins.wasm", wat::parse_str("(module (func (export \"run\") (loop (br 0))))").expect("WAT"));
    let builder = || builder().cache_folder(folder.path().join("cache"));
    built(builder()).load_file(&path).expect("it is a module");
    let (ahead, read) = builder().read_ahead(&path);
    read();
    let host = built(builder().count_fuel(true));
    let module = host.load_ahead(ahead).expect("it is a module");
    let spawn = Spawn::entry("run").limits(Limits::default().fuel(1_000));
    assert!(matches!(host.spawn(&module, spawn).expect("there is room").join(), Exit::Limit { .. }));
}

#[test]
fn what_is_read_ahead_is_bounded_as_what_is_loaded() {
    let folder = Folder::new("read-ahead-bounds");
    let path = folder.file("module.wat", "(module) ;; and more than sixteen bytes");
    let refused = read_ahead(builder().compile_limits(CompileLimits::default().bytes(16)), &path);
    let refused = refused.expect_err("it exceeds the limit");
    assert!(matches!(refused, LoadError::Limit { which: "bytes", limit: 16, found: 38.., .. }), "{refused}");
}

#[test]
fn whoever_waits_for_a_reader_that_is_gone_reads_the_file() {
    let folder = Folder::new("read-ahead-gone");
    let path = folder.file("module.wat", "(module)");
    let (ahead, read) = builder().read_ahead(&path);
    let host = built(builder());
    std::thread::scope(|scope| {
        let loads = scope.spawn(|| host.load_ahead(ahead));
        drop(read);
        loads.join().expect("it does not panic").expect("it is a module");
    });
}

#[test]
fn what_may_never_come_is_not_read_ahead() {
    let folder = Folder::new("read-ahead-endless");
    let path = folder.path().join("endless.wasm");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()), "a pipe can be made");
    let (ahead, read) = builder().read_ahead(&path);
    read();
    drop(ahead);
}

/// The pool is made later, and a module is refused by the load all the same.
#[test]
fn code_that_a_wider_host_kept_is_refused_by_a_narrower_one() {
    let folder = Folder::new("narrower");
    let cached = |builder: HostBuilder| built(builder.cache_folder(folder.path().join("cache")));
    let narrower = |pages: u64| builder().memory_max(pages << 16).table_elements_max(10);
    let fits = |host: &Host, text: &str| match host.load("wide", text.as_bytes()) {
        Ok(_) => true,
        Err(LoadError::Shape { .. }) => false,
        Err(other) => panic!("{other}"),
    };
    for text in ["(module (memory 3))", "(module (table 11 funcref))"] {
        assert!(fits(&cached(builder()), text));
        assert!(!fits(&cached(narrower(2)), text), "{text}");
        assert!(!fits(&built(narrower(2)), text), "it is compiled: {text}");
    }
    assert!(fits(&cached(narrower(3)), "(module (memory 3))"));
    assert!(fits(&cached(narrower(2)), "(module (memory 2) (table 10 funcref))"));
}

#[test]
fn a_table_grows_to_the_ceiling_of_the_host_before_there_is_a_pool_and_after() {
    let text = r#"(module
        (table $table 1 funcref)
        (func (export "grows") (if (i32.eq (table.grow (ref.null func) (i32.const 9)) (i32.const -1)) (then unreachable)))
        (func (export "exceeds") (if (i32.ne (table.grow (ref.null func) (i32.const 10)) (i32.const -1)) (then unreachable))))"#;
    let host = built(builder().isolates(100).table_elements_max(10));
    let module = host.load("table", text.as_bytes()).expect("it is a module");
    for _ in 0..30 {
        for entry in ["grows", "exceeds"] {
            assert_eq!(
                host.spawn(&module, Spawn::entry(entry)).expect("there is room").join(),
                Exit::Returned,
                "{entry}"
            );
        }
    }
}
