//! Where runs listen: a socket for each process in a folder that only its owner can enter.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::super::report;

/// How often it is looked for the socket of a process, and how long until the next time.
const LOOKS: u32 = 50;
const LOOK: Duration = Duration::from_millis(10);

/// The folder of this user's runs, made if it is not there.
pub(super) fn folder() -> Result<PathBuf> {
    let of_session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let user = rustix::process::geteuid().as_raw();
    let folder = match of_session {
        Some(of_session) => of_session.join("insula"),
        None => std::env::temp_dir().join(format!("insula-{user}")),
    };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot make the folder of runs, {}", report::path(&folder)));
        }
        _ => {}
    }
    // In a folder that all may write to, another may have been first; and a link leads elsewhere.
    let found = fs::symlink_metadata(&folder).with_context(|| report::path(&folder))?;
    if !found.is_dir() || found.uid() != user || found.permissions().mode() & 0o077 != 0 {
        bail!("{} is not a folder of this user's alone: remove it, or chmod 700", report::path(&folder));
    }
    Ok(folder)
}

/// The socket of this process.
pub(super) fn of(pid: u32) -> Result<PathBuf> {
    Ok(folder()?.join(format!("{pid}.sock")))
}

/// The sockets that are there, those of processes that are gone among them.
pub(super) fn all() -> Result<Vec<PathBuf>> {
    let folder = folder()?;
    let entries = fs::read_dir(&folder).with_context(|| report::path(&folder))?;
    let is_socket = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "sock");
    let mut sockets: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_socket).collect();
    sockets.sort();
    Ok(sockets)
}

/// Whether the process whose socket this is is gone.
pub(super) fn is_of_nobody(socket: &Path) -> bool {
    let pid = socket.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

/// The socket that a process's number or a path names.
pub(super) fn named(run: &str) -> Result<PathBuf> {
    match run.parse::<u32>() {
        Ok(pid) => {
            let socket = of(pid)?;
            if !appears(&socket) {
                bail!("process {pid} is no run of insula's that can be looked into; `insula ps` lists those that are");
            }
            Ok(socket)
        }
        Err(_) if Path::new(run).exists() => Ok(PathBuf::from(run)),
        Err(_) => bail!("`{}` is neither a process's number nor a socket", insula::printable_line(run)),
    }
}

/// Whether the socket is there, or soon is: a run that has just begun has none yet.
fn appears(socket: &Path) -> bool {
    for _ in 0..LOOKS {
        if socket.exists() || is_of_nobody(socket) {
            break;
        }
        std::thread::sleep(LOOK);
    }
    socket.exists()
}
