//! A part of a granted folder, opened without being led out of it.

use std::io;
use std::path::Path;

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// Gives the guest of this context a folder. One that is gone since it was granted is missing there.
pub(super) fn give(builder: &mut WasiCtxBuilder, (host, below): (&Path, &Path), guest: &str, access: FsPerms) {
    if below.as_os_str().is_empty() {
        drop(builder.preopened_dir(host, guest, access));
        return;
    }
    let given = with_part(host, below, |part| drop(builder.preopened_dir(part, guest, access)));
    // As said above.
    drop(given);
}

/// Whether there is such a part of the folder.
///
/// # Errors
/// Why not.
pub(crate) fn check_part(host: &Path, below: &Path) -> io::Result<()> {
    with_part(host, below, |_| {})
}

/// Does something with a path of the part that means this part and no other, for as long as that takes.
///
/// No link on the way is followed: whoever may write in the folder could lay one that leads out of it, also after
/// somebody looked. So the way is walked step by step, each from the folder that the last one opened.
#[cfg(target_os = "linux")]
fn with_part(host: &Path, below: &Path, act: impl FnOnce(&Path)) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{Mode, OFlags, open, openat};

    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut part = open(host, flags, Mode::empty())?;
    for step in below {
        part = openat(&part, step, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    act(Path::new(&format!("/proc/self/fd/{}", part.as_raw_fd())));
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn with_part(_: &Path, _: &Path, _: impl FnOnce(&Path)) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "a part of a folder is handed on under Linux only"))
}
