//! What an embedder's subscriber of `tracing` is told: a span for each isolate, events of what becomes of it, and within
//! the span whatever is logged while something is done for that isolate.
//!
//! A subscriber is the process's, so each of these tests has a process of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use insula::{Caller, Exit, Host, Priority, Spawn};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::functions::{Order, opened, told};
use crate::harness::{self, Folder, apart};

type Fields = HashMap<&'static str, String>;

/// A span, as it was told.
#[derive(Clone, Debug)]
struct Span {
    name: &'static str,
    fields: Fields,
    parent: Option<u64>,
    follows: Vec<u64>,
    handles: u32,
}

/// An event, as it was told.
#[derive(Clone, Debug)]
struct Told {
    target: &'static str,
    level: Level,
    fields: Fields,
    span: Option<u64>,
}

/// Everything that was told.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<(Vec<Span>, Vec<Told>)>>);

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

struct Texts(Fields);

impl Visit for Texts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        write!(text, "{value:?}").expect("a text takes it");
        self.0.insert(field.name(), text);
    }
}

fn current() -> Option<u64> {
    ENTERED.with_borrow(|entered| entered.last().copied())
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_meant = ["insula", "wasmtime_wasi"].iter().any(|target| metadata.target().starts_with(target));
        is_meant && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Texts(Fields::new());
        span.record(&mut fields);
        let parent = span.parent().map(Id::into_u64).or_else(|| current().filter(|_| span.is_contextual()));
        let name = span.metadata().name();
        let mut log = self.0.lock().expect("nobody panics with it");
        log.0.push(Span { name, fields: fields.0, parent, follows: vec![], handles: 1 });
        Id::from_u64(log.0.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.span(span).0.lock().expect("nobody panics with it").0[index(span)].follows.push(follows.into_u64());
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Texts(Fields::new());
        event.record(&mut fields);
        let span = event.parent().map(Id::into_u64).or_else(|| current().filter(|_| event.is_contextual()));
        let metadata = event.metadata();
        let told = Told { target: metadata.target(), level: *metadata.level(), fields: fields.0, span };
        self.0.lock().expect("nobody panics with it").1.push(told);
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let left = ENTERED.with_borrow_mut(Vec::pop);
        assert_eq!(left, Some(span.into_u64()), "who was entered last is left first");
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.0.lock().expect("nobody panics with it").0[index(span)].handles += 1;
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut log = self.0.lock().expect("nobody panics with it");
        let handles = &mut log.0[index(&span)].handles;
        *handles -= 1;
        *handles == 0
    }
}

fn index(span: &Id) -> usize {
    usize::try_from(span.into_u64()).expect("there are few") - 1
}

impl Log {
    /// Listens to this process from here on.
    fn begin() -> Log {
        let log = Log::default();
        tracing::subscriber::set_global_default(log.clone()).expect("it is the first");
        log
    }

    fn span(&self, _: &Id) -> &Log {
        self
    }

    fn spans(&self) -> Vec<Span> {
        self.0.lock().expect("nobody panics with it").0.clone()
    }

    fn events(&self) -> Vec<Told> {
        self.0.lock().expect("nobody panics with it").1.clone()
    }

    /// The events that say this.
    fn saying(&self, message: &str) -> Vec<Told> {
        self.events().into_iter().filter(|told| told.fields["message"] == message).collect()
    }

    /// The number of the isolate that an event is about: that of the span around it, however far out.
    fn isolate(&self, told: &Told) -> Option<String> {
        let spans = self.spans();
        let mut at = told.span;
        while let Some(number) = at {
            let span = &spans[number as usize - 1];
            if span.name == "isolate" {
                return span.fields.get("isolate").cloned();
            }
            at = span.parent;
        }
        None
    }

    /// The events that say this, as the isolate, the level and the reason.
    fn outline(&self, message: &str) -> Vec<(String, Level, String)> {
        let mut lines: Vec<_> = self.saying(message).into_iter().collect();
        lines.sort_by_key(|told| self.isolate(told));
        let reason = |told: &Told| told.fields.get("reason").cloned().unwrap_or_default();
        lines.iter().map(|told| (self.isolate(told).unwrap_or_default(), told.level, reason(told))).collect()
    }
}

fn line(isolate: &str, level: Level, reason: &str) -> (String, Level, String) {
    (isolate.to_owned(), level, reason.to_owned())
}

#[test]
fn an_isolate_has_a_span_and_what_becomes_of_it_is_told_in_it() {
    apart(module_path!(), "an_isolate_has_a_span_and_what_becomes_of_it_is_told_in_it", || {
        let log = Log::begin();
        let host = Host::builder().isolates(4).threads(1).on_uncaught(|_| ()).build().expect("there is room for it");
        let module = host.load_file(harness::guest("uncaught")).expect("the guest is a module");
        let ended = host.run(&module, Spawn::main()).expect("it can be run");
        assert_eq!(ended.main, Exit::Returned);
        drop(host);

        let spans: Vec<Span> = log.spans().into_iter().filter(|span| span.name == "isolate").collect();
        let field = |name: &str| spans.iter().map(|span| span.fields.get(name).cloned()).collect::<Vec<_>>();
        let some = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned())).to_vec();
        assert_eq!(field("isolate"), some(["1", "2"]));
        assert_eq!(field("debug_name"), some(["uncaught", "lonely"]));
        assert_eq!(field("module"), some([module.name(); 2]));
        assert_eq!(field("parent"), [None, Some("1".to_owned())]);
        assert_eq!(field("host"), some(["1", "1"]));
        assert!(spans.iter().all(|span| span.parent.is_none()), "a child may live longer: {spans:?}");
        let first = log.spans().iter().position(|span| span.name == "isolate").expect("there are two") as u64 + 1;
        assert_eq!((spans[0].follows.as_slice(), spans[1].follows.as_slice()), (&[][..], &[first][..]));
        assert!(spans.iter().all(|span| span.handles == 0), "who ended has no span any more: {spans:?}");

        assert_eq!(log.outline("born"), [line("1", Level::DEBUG, ""), line("2", Level::DEBUG, "")]);
        let (returned, panicked) = (line("1", Level::INFO, "returned"), line("2", Level::WARN, "panicked"));
        assert_eq!(log.outline("ended"), [returned, panicked]);
        assert_eq!(log.outline("uncaught error"), [line("2", Level::ERROR, "panicked")]);
        let uncaught = &log.saying("uncaught error")[0].fields;
        assert!(uncaught["error"].starts_with("nobody \\u{1b}[31m listens"), "a guest's text is escaped: {uncaught:?}");
        assert!(uncaught["stack"].contains("0: "), "{uncaught:?}");
        assert!(log.saying("ended").iter().any(|told| told.fields["exit"].starts_with("panicked at ")));
        let closing = &log.saying("host closing")[0];
        assert_eq!((closing.level, closing.span, closing.fields["living"].as_str()), (Level::DEBUG, None, "0"));
        assert_eq!(log.saying("host closing").len(), 1, "it closes once");
    });
}

#[test]
fn who_kills_another_does_not_have_that_one_s_end_in_its_own_span() {
    apart(module_path!(), "who_kills_another_does_not_have_that_one_s_end_in_its_own_span", || {
        let log = Log::begin();
        let host = Host::builder().isolates(4).threads(1).build().expect("there is room for it");
        let module = host.load_file(harness::guest("kill_parked")).expect("the guest is a module");
        let reports = host.receive_port::<String>();
        let kills = host.spawn(&module, Spawn::entry("run").message(&reports.send_port()));
        assert_eq!(kills.expect("it has an entry").join(), Exit::Returned);
        let loops = b"(module (func (export \"run\") (loop (br 0))))";
        let loops = host.load("loops", loops).expect("the text is a module");
        let isolate = host.spawn(&loops, Spawn::entry("run").debug_name("a\nb")).expect("it has an entry");
        isolate.kill(Priority::Immediate);
        assert!(matches!(isolate.join(), Exit::Killed { .. }));
        let ends = log.outline("ended");
        let killed = ends.iter().filter(|(_, level, reason)| *level == Level::INFO && reason == "killed").count();
        assert!(killed >= 2 && ends.iter().all(|(isolate, ..)| !isolate.is_empty()), "{ends:?}");
        let mut isolates: Vec<_> = ends.iter().map(|(isolate, ..)| isolate).collect();
        isolates.dedup();
        assert_eq!(isolates.len(), ends.len(), "each has one end, in a span of its own: {ends:?}");
        assert!(log.spans().iter().any(|span| span.fields.get("debug_name").is_some_and(|name| name == "a\\nb")));
    });
}

/// Asks for what wasmtime-wasi has not, and says so.
const ACCEPTS: &str = r#"(module
    (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "run") (drop (call $accept (i32.const 0) (i32.const 0) (i32.const 0)))))"#;

#[test]
fn what_is_logged_for_an_isolate_is_in_its_span_on_whatever_thread() {
    apart(module_path!(), "what_is_logged_for_an_isolate_is_in_its_span_on_whatever_thread", || {
        let log = Log::begin();
        let host = super::functions::host();
        let accepts = host.load("accepts", ACCEPTS.as_bytes()).expect("the text is a module");
        assert!(host.spawn(&accepts, Spawn::entry("run")).expect("it has an entry").join().is_ok());
        let of_wasi = log.events().into_iter().find(|told| told.target.starts_with("wasmtime_wasi"));
        let of_wasi = of_wasi.expect("wasmtime-wasi says what it has not");
        assert_eq!(log.isolate(&of_wasi).as_deref(), Some("1"), "{of_wasi:?}");

        let blocks = host.function("double", |_: &Caller, number: u64| {
            tracing::info!(target: "insula_tests", "blocks");
            Ok::<u64, String>(number)
        });
        let waits = host.function_async("whoami", |_: Caller, (): ()| async {
            tokio::task::yield_now().await;
            tracing::info!(target: "insula_tests", "waits");
            "nobody".to_owned()
        });
        let (blocks, waits) = (blocks.expect("there are threads"), waits.expect("there are threads"));
        let plugin = opened(&host, Spawn::entry("run").function(&blocks).function(&waits));
        let number = plugin.isolate().id().number().to_string();
        told(&plugin, Order::Double(2));
        told(&plugin, Order::Whoami);
        for message in ["blocks", "waits"] {
            let said = log.saying(message);
            assert_eq!(said.len(), 1, "{message}");
            assert_eq!(log.isolate(&said[0]).as_ref(), Some(&number), "{message}");
        }
    });
}

#[test]
fn it_is_told_whether_a_module_was_compiled_or_known() {
    apart(module_path!(), "it_is_told_whether_a_module_was_compiled_or_known", || {
        let (log, folder) = (Log::begin(), Folder::new("logs-cache"));
        let load = |name: &str| {
            let host = Host::builder().isolates(1).cache_folder(folder.path()).build().expect("there is room for it");
            host.load(name, b"(module (func (export \"logs\")))").expect("the text is a module").digest().to_string()
        };
        let digest = load("first");
        load("second\n");
        let host = Host::builder().isolates(1).build().expect("there is room for it");
        assert!(host.load("broken", b"\0asm\x01\0\0\0\x01\x01\x05").is_err());
        let said = |message: &str| {
            let said = log.saying(message);
            assert_eq!((said.len(), said[0].level), (1, Level::DEBUG), "{message}: {said:?}");
            assert!(said[0].fields["took_us"].parse::<u64>().is_ok(), "{said:?}");
            (said[0].fields["module"].clone(), said[0].fields["sha256"].clone())
        };
        assert_eq!(said("compiled"), ("first".to_owned(), digest.clone()));
        assert_eq!(said("taken from the cache"), ("second\\n".to_owned(), digest));
        assert_eq!(said("not compiled").0, "broken");
    });
}
