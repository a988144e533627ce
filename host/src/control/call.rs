//! The calls in which a guest can be found waiting, as numbers that stand beside its flags.
//!
//! A call is marked where it begins and where it is over, in the word that says what its isolate does, so that whoever
//! ends the isolate from outside can say where it was.

/// Numbers the calls and names them.
macro_rules! calls {
    ($($call:ident = $name:literal),* $(,)?) => {
        /// What a guest called.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Call {
            $(#[doc = $name] $call),*
        }

        const CALLS: &[(Call, &str)] = &[$((Call::$call, $name)),*];
    };
}

calls! {
    Receive = "ports.receive",
    ReceiveAny = "ports.receive-any",
    SendWaiting = "ports.send-waiting",
    SpawnModule = "isolates.spawn-module",
    Sleep = "clock.sleep",
    Resolve = "report.resolve",
    PollOneoff = "wasi.poll_oneoff",
    SchedYield = "wasi.sched_yield",
    FdAdvise = "wasi.fd_advise",
    FdClose = "wasi.fd_close",
    FdDatasync = "wasi.fd_datasync",
    FdFdstatGet = "wasi.fd_fdstat_get",
    FdFilestatGet = "wasi.fd_filestat_get",
    FdFilestatSetSize = "wasi.fd_filestat_set_size",
    FdFilestatSetTimes = "wasi.fd_filestat_set_times",
    FdPread = "wasi.fd_pread",
    FdPwrite = "wasi.fd_pwrite",
    FdRead = "wasi.fd_read",
    FdReaddir = "wasi.fd_readdir",
    FdRenumber = "wasi.fd_renumber",
    FdSeek = "wasi.fd_seek",
    FdSync = "wasi.fd_sync",
    FdWrite = "wasi.fd_write",
    PathCreateDirectory = "wasi.path_create_directory",
    PathFilestatGet = "wasi.path_filestat_get",
    PathFilestatSetTimes = "wasi.path_filestat_set_times",
    PathLink = "wasi.path_link",
    PathOpen = "wasi.path_open",
    PathReadlink = "wasi.path_readlink",
    PathRemoveDirectory = "wasi.path_remove_directory",
    PathRename = "wasi.path_rename",
    PathSymlink = "wasi.path_symlink",
    PathUnlinkFile = "wasi.path_unlink_file",
}

impl Call {
    /// Its interface and its name, as a deadline's phase has them.
    pub(crate) fn name(self) -> &'static str {
        CALLS[self as usize].1
    }

    /// The name of the call of this number.
    pub(crate) fn name_of(number: u8) -> Option<&'static str> {
        CALLS.get(usize::from(number)).map(|(_, name)| *name)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn of_name(name: &str) -> Option<Call> {
        CALLS.iter().find(|(_, known)| *known == name).map(|(call, _)| *call)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        CALLS.iter().map(|(_, name)| *name)
    }

    /// As bits of a word, from this one on; never 0.
    pub(super) const fn bits(self, shift: u32) -> u32 {
        (self as u32 + 1) << shift
    }

    /// What these bits mean.
    pub(super) fn of_bits(word: u32, shift: u32) -> Option<Call> {
        let number = Call::number_of_bits(word, shift)?;
        CALLS.get(usize::from(number)).map(|(call, _)| *call)
    }

    /// The number that these bits mean.
    pub(super) fn number_of_bits(word: u32, shift: u32) -> Option<u8> {
        ((word >> shift) as u8).checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_again_by_its_bits() {
        assert!(CALLS.len() <= 246, "they fit in eight bits, with all else that an event can be");
        for (call, name) in CALLS {
            assert_eq!((Call::of_bits(call.bits(24) | 0xff, 24), call.name()), (Some(*call), *name));
            assert_eq!(Call::number_of_bits(call.bits(24) | 0xff, 24).and_then(Call::name_of), Some(*name));
        }
        assert_eq!((Call::of_bits(0xff_ffff, 24), Call::of_bits(u32::MAX, 24)), (None, None));
    }
}
