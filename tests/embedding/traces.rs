//! Trace context travels with messages, and spans of isolates reach a collector with what belongs together.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::channel;
use std::time::Duration;

use insula::otlp::{Otlp, OtlpError};
use insula::{Caller, Event, Happened, Host, Service, Spawn, TraceContext, Traced};

use super::functions::Order;
use crate::harness::{self, Collector};

const PATIENCE: Duration = Duration::from_secs(600);

/// A service whose calls are within traces.
type Plugin = Service<Traced<Order>, Traced<String>>;

fn host() -> Host {
    let builder = Host::builder().isolates(16).threads(2).cache_folder(harness::cache());
    builder.on_uncaught(|_| ()).build().expect("there is room for a small host")
}

/// A guest that calls `whoami`, by itself and by its children; and what that function was called within, in order.
fn plugin(host: &Host, spawn: Spawn) -> (Plugin, std::sync::mpsc::Receiver<Option<TraceContext>>) {
    let (told, contexts) = channel();
    let whoami = move |caller: &Caller, (): ()| {
        told.send(caller.trace_context()).expect("the test waits");
        caller.debug_name()
    };
    let whoami = host.function("whoami", whoami).expect("there are threads");
    let module = host.load_file(harness::guest("calls_host")).expect("the guest is a module");
    (host.open(&module, spawn.function(&whoami)).expect("it has an entry"), contexts)
}

fn context(trace_id: u128, span_id: u64) -> TraceContext {
    TraceContext::new(trace_id, span_id, true).expect("neither is 0")
}

#[test]
fn what_an_isolate_sends_and_spawns_is_within_the_trace_of_what_it_took() {
    let host = host();
    let (plugin, contexts) = plugin(&host, Spawn::entry("run"));
    let ask = |order, context| plugin.call(&Traced { message: order, context }, PATIENCE).expect("it serves");
    let first = Some(context(7, 70));
    assert_eq!(ask(Order::Whoami, first).context, first, "the answer is within it");
    assert_eq!(contexts.recv(), Ok(first), "and what the guest called meanwhile");
    let second = Some(context(8, 80));
    assert_eq!(ask(Order::Children, second).context, second);
    // Two children that call, and one that has not got the function and is sent it.
    assert_eq!(contexts.try_iter().collect::<Vec<_>>(), [second; 2], "it passes to who is spawned");
    assert_eq!(ask(Order::Whoami, None).context, None, "it is over with the next message");
    assert_eq!(contexts.recv(), Ok(None));
}

#[test]
fn an_isolate_can_be_born_within_a_trace() {
    let host = host();
    let module = host.load_file(harness::guest("serves_calls")).expect("the guest is a module");
    let over = host.receive_port::<Traced<String>>();
    let within = context(9, 90);
    let greets = |message: Spawn| host.open::<String, String>(&module, message).expect("it has an entry");
    drop(greets(Spawn::entry("greets").message(&("hello", over.send_port())).trace_context(within)));
    assert_eq!(over.recv().expect("it says that it is over").context, Some(within));
    // Or by its message.
    let message = Traced::new(("hello", over.send_port()), within);
    drop(greets(Spawn::entry("greets").message(&message)));
    assert_eq!(over.recv().expect("it says that it is over").context, Some(within));
}

/// A span that was entered: what it is, and within what.
fn entered(event: &Event) -> Option<(TraceContext, Option<u64>)> {
    match event.what {
        Happened::Entered { context, parent } => Some((context, parent)),
        _ => None,
    }
}

#[test]
fn where_spans_are_observed_each_message_is_one_within_that_of_its_sender() {
    let host = host();
    let (told, events) = channel();
    let observation = host
        .observe_spans(move |batch| batch.iter().for_each(|event| drop(told.send(event.clone()))))
        .expect("a thread");
    let (plugin, contexts) = plugin(&host, Spawn::entry("run").trace_context(context(5, 50)));
    let asked = context(7, 70);
    let answer = plugin.call(&Traced::new(Order::Whoami, asked), PATIENCE).expect("it serves");
    let called = contexts.recv().expect("it calls").expect("within a trace");
    drop(observation);

    let spans: Vec<_> = events.iter().filter_map(|event| entered(&event)).collect();
    let numbers: HashSet<u64> = spans.iter().map(|(context, _)| context.span_id()).collect();
    assert_eq!(numbers.len(), spans.len(), "each span is new: {spans:?}");
    let (birth, of_birth) = spans[0];
    assert_eq!((birth.trace_id(), of_birth), (5, Some(50)), "the life is within what it was born in");
    let (question, _) = spans.iter().find(|(_, parent)| *parent == Some(70)).expect("the call is a span");
    assert_eq!((question.trace_id(), question.is_sampled()), (7, true));
    assert_eq!(called, *question, "what it calls is within the span of the call");
    let answered = answer.context.expect("within a trace");
    assert_eq!(answered.trace_id(), 7);
    let (_, parent) = spans.iter().find(|(context, _)| *context == answered).expect("the answer was sent in a span");
    assert!(parent.is_some(), "{spans:?}");
}

#[test]
fn a_collector_is_sent_each_life_and_message_with_what_belongs_together() {
    let collector = Collector::start();
    let host = host();
    let exporting = Otlp::to(collector.url()).service_name("orders").export(&host).expect("there is a thread");
    let (plugin, _contexts) = plugin(&host, Spawn::entry("run"));
    let asked = context(0x0102_0304, 0x70);
    plugin.call(&Traced::new(Order::Whoami, asked), PATIENCE).expect("it serves");
    let refused = TraceContext::new(0xffff, 0xff, false).expect("neither is 0");
    plugin.call(&Traced::new(Order::Whoami, refused), PATIENCE).expect("it serves");
    let isolate = plugin.isolate().clone();
    drop(plugin);
    assert!(isolate.join().is_ok());
    let exported = exporting.finish();
    let sent = collector.stop();
    assert_eq!((exported.lost, exported.error), (0, None));
    assert_eq!(exported.sent, sent.spans.len() as u64);
    assert_eq!(sent.services, HashSet::from(["orders".to_owned()]));

    let life = sent.spans.iter().find(|span| span.name == "isolate run").expect("its life is a span");
    let by_id: HashMap<&[u8], _> = sent.spans.iter().map(|span| (&span.span_id[..], span)).collect();
    assert_eq!(by_id.len(), sent.spans.len());
    let question = sent.spans.iter().find(|span| span.parent_span_id == 0x70_u64.to_be_bytes()).expect("a span");
    assert_eq!(question.name, "process run");
    assert_eq!(question.trace_id, 0x0102_0304_u128.to_be_bytes());
    assert!(question.start_time_unix_nano >= life.start_time_unix_nano);
    assert!(question.end_time_unix_nano <= life.end_time_unix_nano);
    assert!(question.start_time_unix_nano <= question.end_time_unix_nano);
    assert!(question.events.iter().any(|event| event.name == "sent"), "it called a function: {question:?}");
    for span in &sent.spans {
        assert_ne!(span.trace_id, 0xffff_u128.to_be_bytes(), "nobody wants that trace recorded: {span:?}");
    }
}

#[test]
fn of_an_isolate_that_lived_before_the_export_each_message_is_a_span() {
    let collector = Collector::start();
    let host = host();
    let (plugin, _contexts) = plugin(&host, Spawn::entry("run"));
    plugin.call(&Traced { message: Order::Whoami, context: None }, PATIENCE).expect("it serves");
    let exporting = Otlp::to(collector.url()).export(&host).expect("there is a thread");
    plugin.call(&Traced::new(Order::Whoami, context(7, 70)), PATIENCE).expect("it serves");
    let exported = exporting.finish();
    let sent = collector.stop();
    assert_eq!((exported.lost, exported.sent), (0, sent.spans.len() as u64));
    let question = sent.spans.iter().find(|span| span.parent_span_id == 70_u64.to_be_bytes()).expect("a span");
    assert!(question.name.starts_with("process #"), "{question:?}");
    assert!(sent.spans.iter().all(|span| span.name.starts_with("process ")), "its life began before: {:?}", sent.spans);
    // What was begun for who observed goes no further: nobody is in a trace any more.
    let answer = plugin.call(&Traced { message: Order::Whoami, context: None }, PATIENCE).expect("it serves");
    assert_eq!(answer.context, None);
}

#[test]
fn a_trace_that_was_begun_for_who_observed_ends_with_that() {
    let host = host();
    let (plugin, contexts) = plugin(&host, Spawn::entry("run"));
    let ask = || plugin.call(&Traced { message: Order::Whoami, context: None }, PATIENCE).expect("it serves").context;
    let observation = host.observe_spans(|_| ()).expect("there is a thread");
    assert!(ask().is_some() && contexts.recv().expect("it calls").is_some());
    drop(observation);
    assert_eq!((ask(), contexts.recv()), (None, Ok(None)));
}

#[test]
fn a_collector_that_never_answers_is_waited_for_a_while_and_what_it_did_not_take_is_lost() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let url = format!("http://{}", silent.local_addr().expect("it listens"));
    let host = host();
    let exporting = Otlp::to(url).export(&host).expect("there is a thread");
    let module = host.load("page", b"(module (func (export \"run\")))").expect("it is a module");
    assert!(host.spawn(&module, Spawn::entry("run")).expect("there is room").join().is_ok());
    let exported = exporting.finish();
    assert_eq!((exported.sent, exported.lost), (0, 1));
    assert!(exported.error.is_some());
}

/// Who drops an export on the thread of the observers cannot wait for it there.
#[test]
fn an_export_that_an_observer_drops_ends() {
    let collector = Collector::start();
    let host = host();
    let mut exporting = Some(Otlp::to(collector.url()).export(&host).expect("there is a thread"));
    let (told, dropped) = channel();
    let observation = host.observe_lives(move |_| {
        drop(exporting.take());
        let _ = told.send(());
    });
    let module = host.load("page", b"(module (func (export \"run\")))").expect("it is a module");
    assert!(host.spawn(&module, Spawn::entry("run")).expect("there is room").join().is_ok());
    dropped.recv().expect("it comes back");
    drop(observation);
}

#[test]
fn without_a_collector_the_host_goes_on_and_what_was_lost_is_told() {
    // The port of a listener that is gone.
    let url = Collector::start().into_url_of_nobody();
    let host = host();
    let exporting = Otlp::to(url).export(&host).expect("the collector need not be there");
    let module = host.load("page", b"(module (func (export \"run\")))").expect("it is a module");
    assert!(host.spawn(&module, Spawn::entry("run")).expect("there is room").join().is_ok());
    let exported = exporting.finish();
    assert_eq!((exported.sent, exported.lost), (0, 1));
    assert!(exported.error.is_some_and(|error| !error.is_empty()));
}

#[test]
fn what_is_no_address_of_a_collector_is_said() {
    let host = host();
    for wrong in ["", "127.0.0.1:4318", "https://127.0.0.1:4318", "http://", "http://a b", "ftp://x"] {
        match Otlp::to(wrong).export(&host) {
            Err(OtlpError::Endpoint { endpoint, reason }) => assert!(endpoint == wrong && !reason.is_empty()),
            other => panic!("{wrong}: {other:?}"),
        }
    }
}
