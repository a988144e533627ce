//! The edge to the host: every import of `isolate.wit`, the exports that the host calls, and all of this crate's unsafe.
//!
//! Three parts, in this order. **Imports**: an extern block for each interface, a function for each item, in the order
//! of the WIT; a test compares them with it. What takes only numbers and references is `safe fn` and called as it is;
//! what takes a pointer and a length, or a record that holds some, is `unsafe fn` and has a safe function below.
//! **Calls**: those safe functions. **Entries**: `insula_entry` and `insula_loop`, constructors, and how a function of
//! this module becomes a number and back.
//!
//! Off wasm there is no host: each import is a panic that says so.
#![allow(unsafe_code)] // The one place that talks to the host in pointers; the rest of the crate does without.
#![cfg_attr(not(target_family = "wasm"), allow(unused_unsafe, clippy::too_many_arguments))] // Stand-ins are plain.

use std::ptr::NonNull;

use insula_wire::layout::{Grant, Isolate, List, Payload, Received, SpawnOptions};

use crate::call::{Body, Newborn, Notice, Pointees, Source, Text};
use insula_wire::{GrantKind, Status};

/// The extern blocks as they stand on wasm, and functions that panic elsewhere.
macro_rules! imports {
    ($(
        #[$link:meta]
        unsafe extern "C" {
            $(#[$name:meta] $vis:vis $safety:ident fn $item:ident($($arg:ident: $of:ty),*) -> $ret:ty;)*
        }
    )*) => {$(
        #[cfg(target_family = "wasm")]
        #[$link]
        unsafe extern "C" {
            $(#[$name] $vis $safety fn $item($($arg: $of),*) -> $ret;)*
        }
        $(
            #[cfg(not(target_family = "wasm"))]
            $vis fn $item($(_: $of),*) -> $ret {
                no_host()
            }
        )*
    )*};
}

#[cfg(not(target_family = "wasm"))]
fn no_host() -> ! {
    panic!("insula_guest: this needs an insula host: run it with `insula run`")
}

// ---- imports

imports! {
    #[link(wasm_import_module = "insula:isolate/ports@0.1.0")]
    unsafe extern "C" {
        #[link_name = "open"] pub(crate) safe fn ports_open(schema: u64, policy: u32, result: &mut u32) -> u32;
        #[link_name = "sender"] pub(crate) safe fn ports_sender(port: u32, result: &mut u32) -> u32;
        #[link_name = "send"]
        unsafe fn ports_send(port: u32, message: *const u8, len: usize, capabilities: *const u32, count: usize) -> u32;
        #[link_name = "send-waiting"]
        unsafe fn ports_send_waiting(
            port: u32, message: *const u8, len: usize, capabilities: *const u32, count: usize, deadline: u64
        ) -> u32;
        #[link_name = "try-receive"]
        unsafe fn ports_try_receive(
            port: u32, to: *mut u8, room: usize, handles: *mut u32, slots: usize, found: &mut Received
        ) -> u32;
        #[link_name = "receive-ready"]
        unsafe fn ports_receive_ready(
            port: u32, to: *mut u8, room: usize, handles: *mut u32, slots: usize, found: &mut Received
        ) -> u32;
        #[link_name = "receive"]
        unsafe fn ports_receive(
            port: u32, deadline: u64, to: *mut u8, room: usize, handles: *mut u32, slots: usize, found: &mut Received
        ) -> u32;
        #[link_name = "receive-any"]
        unsafe fn ports_receive_any(
            ports: *const u32, count: usize, deadline: u64, to: *mut u8, room: usize, handles: *mut u32, slots: usize, found: &mut Received
        ) -> u32;
        #[link_name = "listen"] pub(crate) safe fn ports_listen(port: u32, on: u32) -> u32;
        #[link_name = "keep-alive"] pub(crate) safe fn ports_keep_alive(port: u32, on: u32) -> u32;
        #[link_name = "discard"] pub(crate) safe fn ports_discard(port: u32) -> u32;
        #[link_name = "close"] pub(crate) safe fn ports_close(port: u32) -> u32;
    }

    #[link(wasm_import_module = "insula:isolate/handles@0.1.0")]
    unsafe extern "C" {
        #[link_name = "create-capability"] pub(crate) safe fn handles_create_capability(result: &mut u32) -> u32;
        #[link_name = "duplicate"] pub(crate) safe fn handles_duplicate(handle: u32) -> u32;
        #[link_name = "drop"] pub(crate) safe fn handles_drop(handle: u32) -> u32;
        #[link_name = "kind-of"] pub(crate) safe fn handles_kind_of(handle: u32, result: &mut u32) -> u32;
    }

    #[link(wasm_import_module = "insula:isolate/blobs@0.1.0")]
    unsafe extern "C" {
        #[link_name = "create"] unsafe fn blobs_create(parts: *const List, count: usize, result: &mut u32) -> u32;
        #[link_name = "length"] pub(crate) safe fn blobs_length(blob: u32, result: &mut u64) -> u32;
        #[link_name = "read"]
        unsafe fn blobs_read(blob: u32, offset: u64, to: *mut u8, room: usize, result: &mut u32) -> u32;
        #[link_name = "take"] unsafe fn blobs_take(blob: u32, to: *mut u8, room: usize, result: &mut u32) -> u32;
    }

    #[link(wasm_import_module = "insula:isolate/names@0.1.0")]
    unsafe extern "C" {
        #[link_name = "register"] unsafe fn names_register(name: *const u8, len: usize, port: u32) -> u32;
        #[link_name = "lookup"] unsafe fn names_lookup(name: *const u8, len: usize, result: &mut u32) -> u32;
        #[link_name = "remove"] unsafe fn names_remove(name: *const u8, len: usize) -> u32;
    }

    #[link(wasm_import_module = "insula:isolate/isolates@0.1.0")]
    unsafe extern "C" {
        #[link_name = "spawn"]
        unsafe fn isolates_spawn(entry: u32, options: &SpawnOptions, result: &mut Isolate) -> u32;
        #[link_name = "spawn-export"]
        unsafe fn isolates_spawn_export(
            entry: *const u8, len: usize, options: &SpawnOptions, result: &mut Isolate
        ) -> u32;
        #[link_name = "spawn-module"]
        unsafe fn isolates_spawn_module(
            module: *const u8, len: usize, arguments: *const List, count: usize, options: &SpawnOptions, result: &mut Isolate
        ) -> u32;
        #[link_name = "initial-message"]
        unsafe fn isolates_initial_message(
            to: *mut u8, room: usize, handles: *mut u32, slots: usize, found: &mut Received
        ) -> u32;
        #[link_name = "current"] pub(crate) safe fn isolates_current(result: &mut Isolate) -> u32;
        #[link_name = "config"]
        unsafe fn isolates_config(name: *const u8, len: usize, to: *mut u8, room: usize, result: &mut u32) -> u32;
        #[link_name = "exit"]
        unsafe fn isolates_exit(
            port: u32, message: *const u8, len: usize, capabilities: *const u32, count: usize
        ) -> u32;
    }

    #[link(wasm_import_module = "insula:isolate/control@0.1.0")]
    unsafe extern "C" {
        #[link_name = "pause"] pub(crate) safe fn control_pause(isolate: u32, pause: u32, token: u32) -> u32;
        #[link_name = "resume"] pub(crate) safe fn control_resume(isolate: u32, token: u32) -> u32;
        #[link_name = "kill"] pub(crate) safe fn control_kill(isolate: u32, terminate: u32, priority: u32) -> u32;
        #[link_name = "kill-tree"] pub(crate) safe fn control_kill_tree(isolate: u32, terminate: u32) -> u32;
        #[link_name = "request-stop"] pub(crate) safe fn control_request_stop(isolate: u32, terminate: u32) -> u32;
        #[link_name = "stop-requested"] pub(crate) safe fn control_stop_requested() -> u32;
        #[link_name = "set-stop-listener"]
        unsafe fn control_set_stop_listener(port: u32, schema: u64, response: &Payload) -> u32;
        #[link_name = "ping"]
        unsafe fn control_ping(isolate: u32, port: u32, priority: u32, schema: u64, response: &Payload) -> u32;
        #[link_name = "add-exit-listener"]
        unsafe fn control_add_exit_listener(isolate: u32, port: u32, schema: u64, response: &Payload) -> u32;
        #[link_name = "remove-exit-listener"]
        pub(crate) safe fn control_remove_exit_listener(isolate: u32, port: u32) -> u32;
        #[link_name = "add-error-listener"]
        pub(crate) safe fn control_add_error_listener(isolate: u32, port: u32, schema: u64) -> u32;
        #[link_name = "remove-error-listener"]
        pub(crate) safe fn control_remove_error_listener(isolate: u32, port: u32) -> u32;
        #[link_name = "set-errors-fatal"]
        pub(crate) safe fn control_set_errors_fatal(isolate: u32, terminate: u32, fatal: u32) -> u32;
        #[link_name = "debug-name"]
        unsafe fn control_debug_name(isolate: u32, to: *mut u8, room: usize, result: &mut u32) -> u32;
    }

    #[link(wasm_import_module = "insula:isolate/clock@0.1.0")]
    unsafe extern "C" {
        #[link_name = "now"] pub(crate) safe fn clock_now() -> u64;
        #[link_name = "sleep"] pub(crate) safe fn clock_sleep(until: u64) -> u32;
    }

    #[link(wasm_import_module = "insula:isolate/report@0.1.0")]
    unsafe extern "C" {
        #[link_name = "panic"]
        unsafe fn report_panic(message: *const u8, message_len: usize, place: *const u8, place_len: usize) -> u32;
        #[link_name = "entered"] pub(crate) safe fn report_entered() -> u32;
        #[link_name = "error"] unsafe fn report_error(message: *const u8, message_len: usize) -> u32;
        #[link_name = "last-error"] unsafe fn report_last_error(to: *mut u8, room: usize, result: &mut u32) -> u32;
        #[link_name = "resolve"]
        unsafe fn report_resolve(stack: *const u8, stack_len: usize, to: *mut u8, room: usize, result: &mut u32) -> u32;
    }
}

// ---- calls

/// A status as a result; a number of a newer host's is `Unsupported`.
pub(crate) fn check(code: u32) -> Result<(), Status> {
    match code {
        0 => Ok(()),
        code => Err(Status::from_code(code).unwrap_or(Status::Unsupported)),
    }
}

/// What an import puts into its trailing result.
pub(crate) fn result<T: Default>(import: impl FnOnce(&mut T) -> u32) -> Result<T, Status> {
    let mut result = T::default();
    check(import(&mut result)).map(|()| result)
}

impl Body<'_> {
    /// For the length of this borrow only, as are all pointers below.
    fn raw(self) -> (*const u8, usize, *const u32, usize) {
        let (bytes, capabilities) = (self.bytes, self.capabilities);
        (bytes.as_ptr(), bytes.len(), capabilities.as_ptr(), capabilities.len())
    }

    fn payload(self) -> Payload {
        let (bytes, capabilities) = (list(self.bytes), list(self.capabilities));
        Payload { bytes, capabilities }
    }
}

fn list<T>(slice: &[T]) -> List {
    let (pointer, count) = (slice.as_ptr() as usize as u32, slice.len() as u32);
    List { pointer, count }
}

/// Sends, without waiting or until a deadline.
pub(crate) fn send(port: u32, message: Body<'_>, until: Option<u64>) -> Result<(), Status> {
    let (bytes, len, capabilities, count) = message.raw();
    // SAFETY: both slices are borrowed for the call; the host only reads them.
    check(unsafe {
        match until {
            None => ports_send(port, bytes, len, capabilities, count),
            Some(at) => ports_send_waiting(port, bytes, len, capabilities, count, at),
        }
    })
}

/// Ends this isolate; returns why not.
pub(crate) fn exit(port: u32, message: Body<'_>) -> Result<(), Status> {
    let (bytes, len, capabilities, count) = message.raw();
    // SAFETY: both slices are borrowed for the call; the host only reads them.
    check(unsafe { isolates_exit(port, bytes, len, capabilities, count) })
}

/// Takes a message into the spare room of the two vectors, whose length it sets. On an error nothing is taken; with
/// `BufferTooSmall` the record says what is needed.
pub(crate) fn receive(
    from: Source<'_>,
    bytes: &mut Vec<u8>,
    handles: &mut Vec<u32>,
    found: &mut Received,
) -> Result<(), Status> {
    bytes.clear();
    handles.clear();
    let (to, room) = (bytes.as_mut_ptr(), bytes.capacity());
    let (list, slots) = (handles.as_mut_ptr(), handles.capacity());
    // SAFETY: pointers and capacities are those of vectors that are borrowed mutably for the call; `ports` is borrowed.
    check(unsafe {
        match from {
            Source::Try(port) => ports_try_receive(port, to, room, list, slots, found),
            Source::Ready(port) => ports_receive_ready(port, to, room, list, slots, found),
            Source::Port(port, until) => ports_receive(port, until, to, room, list, slots, found),
            Source::Any(ports, until) => {
                ports_receive_any(ports.as_ptr(), ports.len(), until, to, room, list, slots, found)
            }
            Source::Birth => isolates_initial_message(to, room, list, slots, found),
        }
    })?;
    let (length, capabilities) = (found.length as usize, found.capabilities as usize);
    assert!(length <= room && capabilities <= slots, "the host overfilled a buffer");
    // SAFETY: an answer of ok means that the host wrote so many bytes and handles, and both are within the capacity.
    unsafe {
        bytes.set_len(length);
        handles.set_len(capabilities);
    }
    Ok(())
}

/// The text, all of it: asked for again where the first buffer was too small.
pub(crate) fn text(what: Text<'_>) -> Result<String, Status> {
    let mut buffer = Vec::with_capacity(256);
    loop {
        let (to, room) = (buffer.as_mut_ptr(), buffer.capacity());
        // SAFETY: pointer and capacity are those of a vector of ours; `of` and `name` are borrowed for the call.
        let length = result(|length| unsafe {
            match what {
                Text::DebugName(isolate) => control_debug_name(isolate, to, room, length),
                Text::Config(name) => isolates_config(name.as_ptr(), name.len(), to, room, length),
                Text::LastError => report_last_error(to, room, length),
                Text::Frames(of) => report_resolve(of.as_ptr(), of.len(), to, room, length),
            }
        })? as usize;
        if length <= room {
            // SAFETY: the host wrote `length` bytes, all that there are, within the capacity.
            unsafe { buffer.set_len(length) };
            return String::from_utf8(buffer).map_err(|_| Status::Invalid);
        }
        buffer.reserve(length);
    }
}

/// A blob of the parts, one after another.
pub(crate) fn blob(parts: &[&[u8]]) -> Result<u32, Status> {
    let parts: Vec<List> = parts.iter().map(|part| list(part)).collect();
    // SAFETY: the records point to slices that are borrowed for the call; the host only reads them.
    result(|blob| unsafe { blobs_create(parts.as_ptr(), parts.len(), blob) })
}

/// Copies out of a blob from `offset` on.
pub(crate) fn blob_read(blob: u32, offset: u64, buffer: &mut [u8]) -> Result<u32, Status> {
    // SAFETY: the host writes at most the length of a slice that is borrowed mutably for the call.
    result(|read| unsafe { blobs_read(blob, offset, buffer.as_mut_ptr(), buffer.len(), read) })
}

/// Takes all `length` bytes of a blob, which is gone then.
pub(crate) fn blob_take(blob: u32, length: usize) -> Result<Vec<u8>, Status> {
    let mut bytes = vec![0; length];
    // SAFETY: the host writes at most the length of a vector of ours.
    result(|taken| unsafe { blobs_take(blob, bytes.as_mut_ptr(), bytes.len(), taken) })?;
    Ok(bytes)
}

/// Makes a port known by a name.
pub(crate) fn register(name: &str, port: u32) -> Result<(), Status> {
    // SAFETY: the text is borrowed for the call; the host only reads it.
    check(unsafe { names_register(name.as_ptr(), name.len(), port) })
}

/// The port of a name.
pub(crate) fn lookup(name: &str) -> Result<u32, Status> {
    // SAFETY: as above.
    result(|port| unsafe { names_lookup(name.as_ptr(), name.len(), port) })
}

/// Takes a name away.
pub(crate) fn unregister(name: &str) -> Result<(), Status> {
    // SAFETY: as above.
    check(unsafe { names_remove(name.as_ptr(), name.len()) })
}

/// A new isolate. All pointers in `options` are overwritten.
pub(crate) fn spawn(newborn: Newborn<'_>, options: SpawnOptions, of: Pointees<'_>) -> Result<Isolate, Status> {
    let grants = of.grants.iter();
    let grants: Vec<Grant> = grants.map(|(kind, text)| grant(*kind, text)).collect();
    let options = SpawnOptions {
        message: of.message.payload(),
        debug_name: list(of.debug_name.as_bytes()),
        on_exit_response: of.on_exit_response.payload(),
        limits: list(of.limits),
        grants: list(&grants),
        ..options
    };
    // SAFETY: all that the records point to is borrowed by `of`, or a local; the host only reads it.
    result(|born| unsafe {
        match newborn {
            Newborn::Entry(entry) => isolates_spawn(entry, &options, born),
            Newborn::Export(n) => isolates_spawn_export(n.as_ptr(), n.len(), &options, born),
            Newborn::Module(n, arguments) => {
                let list: Vec<List> = arguments.iter().map(|text| list(text.as_bytes())).collect();
                let (args, count) = (list.as_ptr(), list.len());
                isolates_spawn_module(n.as_ptr(), n.len(), args, count, &options, born)
            }
        }
    })
}

fn grant(kind: GrantKind, text: &str) -> Grant {
    let (kind, argument) = (kind.code(), list(text.as_bytes()));
    Grant { kind, argument }
}

/// Asks for a notice that carries `response` to `port`.
pub(crate) fn notify(notice: Notice, port: u32, schema: u64, with: Body<'_>) -> Result<(), Status> {
    let with = with.payload();
    // SAFETY: what the record points to is borrowed for the call; the host only reads it.
    check(unsafe {
        match notice {
            Notice::Stop => control_set_stop_listener(port, schema, &with),
            Notice::Ping(isolate, at) => control_ping(isolate, port, at, schema, &with),
            Notice::Exit(isolate) => control_add_exit_listener(isolate, port, schema, &with),
        }
    })
}

/// The text and place of a panic.
pub(crate) fn panicked(message: &str, place: &str) -> Result<(), Status> {
    // SAFETY: both texts are borrowed for the call; the host only reads them.
    check(unsafe { report_panic(message.as_ptr(), message.len(), place.as_ptr(), place.len()) })
}

/// An uncaught error; returns where errors are not fatal.
pub(crate) fn uncaught(message: &str) -> Result<(), Status> {
    // SAFETY: the text is borrowed for the call; the host only reads it.
    check(unsafe { report_error(message.as_ptr(), message.len()) })
}

// ---- entries

/// The number of a function: its place in this module's table, the same in every instance of one module.
pub(crate) fn index_of(function: fn()) -> u32 {
    function as usize as u32
}

/// Another copy of a value that has no bytes.
pub(crate) fn conjure<F: Copy + 'static>() -> F {
    const { assert!(size_of::<F>() == 0, "an entry is a fn or a closure that captures nothing") };
    // SAFETY: `F` has no bytes to be initialised, and a dangling pointer is aligned. It is inhabited and may be copied:
    // the only callers are in `entry`, for an `F` that somebody handed to `number_of`.
    unsafe { NonNull::<F>::dangling().read() }
}

#[cfg(target_family = "wasm")]
mod exports {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    static CONSTRUCTED: AtomicBool = AtomicBool::new(false);

    /// Itself a constructor: who has called them can be told from who has not.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static MARK: extern "C" fn() = mark;

    extern "C" fn mark() {
        CONSTRUCTED.store(true, Relaxed);
    }

    unsafe extern "C" {
        fn __wasm_call_ctors();
    }

    /// Runs the module's constructors, unless `_start` or `_initialize` did.
    pub(crate) fn construct() {
        if !CONSTRUCTED.load(Relaxed) {
            // SAFETY: the linker makes this function; it is called once in an instance, before anything else runs.
            unsafe { __wasm_call_ctors() };
        }
    }

    #[unsafe(export_name = "insula_entry")]
    extern "C" fn insula_entry(entry: u32) {
        construct();
        crate::entry::enter(function_at(entry));
    }

    /// The function that has this number, in every instance of this module.
    pub(crate) fn function_at(number: u32) -> fn() {
        // SAFETY: a function pointer is an index of the table, and calling one that is not there, or that names a
        // function of another type, traps. `index_of` made the number, in an instance of this module.
        let function = unsafe { std::mem::transmute::<usize, Option<fn()>>(number as usize) };
        function.expect("the number is that of a function")
    }

    #[unsafe(export_name = "insula_loop")]
    extern "C" fn insula_loop() {
        crate::event_loop::run();
    }
}

#[cfg(target_family = "wasm")]
pub(crate) use exports::{construct, function_at};

#[cfg(not(target_family = "wasm"))]
pub(crate) fn construct() {
    no_host()
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn function_at(_number: u32) -> fn() {
    no_host()
}

/// Gives a function to hosts and parents by name: an entry for `Spawn::entry("score")` of an embedder, or
/// [`Spawn::spawn_export`](crate::Spawn::spawn_export) of a guest.
///
/// The function takes one message and returns nothing or a `Result`, as an entry of
/// [`Isolate::spawn`](crate::Isolate::spawn). The name is one lower-case word.
///
/// ```no_run
/// fn score(text: String) -> Result<(), String> {
///     if text.is_empty() { Err("nothing to score".into()) } else { Ok(()) }
/// }
/// insula_guest::export!(score as "score");
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($entry:path as $name:literal) => {
        $crate::__export!($crate::enter_export, $entry, $name);
    };
}

/// An export of this name, which enters a function in this way.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($enter:path, $entry:path, $name:literal) => {
        const _: () = {
            #[allow(unsafe_code, dead_code)] // An export's name is an unsafe attribute: two of one name would clash.
            #[cfg_attr(target_family = "wasm", unsafe(export_name = $name))]
            extern "C" fn __insula_export() {
                $enter($entry);
            }
        };
    };
}
