//! What calls the thread that runs a program, where there is no other: handlers of signals, and time by means of one.
//!
//! Time is what the process had of a CPU: whoever waits needs no alarm, and the alarm of the clock on the wall may be somebody
//! else's, set before this process became what it is.

#![allow(unsafe_code, reason = "what a handler may do is known to who registers it, and to nobody else")]

use std::io;
use std::time::Duration;

use insula::Summons;
use signal_hook::consts::SIGVTALRM;
use signal_hook::low_level;

/// Has each of these signals call, and an alarm again and again after so much time on a CPU, until its [end].
pub(super) fn calls(signals: &[i32], interval: Duration, summons: &Summons) -> io::Result<()> {
    for signal in signals.iter().chain([&SIGVTALRM]) {
        let summons = summons.clone();
        // SAFETY: what is called here may interrupt anything, so it must do nothing but what is safe in a handler of signals.
        // A summons takes no lock, asks for no memory and cannot panic: it stores and adds to atomic numbers.
        unsafe { low_level::register(*signal, move || summons.call()) }?;
    }
    every(interval)
}

/// There is no alarm any more.
pub(super) fn end() {
    // What could be set can be set back.
    let _ = every(Duration::ZERO);
}

fn every(interval: Duration) -> io::Result<()> {
    let interval = libc::timeval {
        tv_sec: interval.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_usec: interval.subsec_micros() as libc::suseconds_t,
    };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: it reads the timer while it is called, and writes the old one nowhere.
    match unsafe { libc::setitimer(libc::ITIMER_VIRTUAL, &raw const timer, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
