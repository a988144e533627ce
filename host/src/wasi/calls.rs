//! WASI's calls. Those that may wait are marked while they go on: whoever is ended there was waiting, and it is told where.
//!
//! What they do is wasmtime-wasi's. Which there are, and which of them are async, is repeated here, since a module is linked
//! with those that it imports and no others; a test compares the list with theirs.

use wasmtime::{AsContextMut as _, Caller, Extern, Result};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self, WasiSnapshotPreview1 as _};
use wiggle::GuestMemory;

use super::{ERRNO_AGAIN, PREVIEW_1, context};
use crate::abi::{Definer, State, answer_after, in_call};
use crate::control::Call;
use crate::files::FileWork;
use crate::sync::Arc;

/// Which argument is the descriptor that an operation is at: the first, where nothing else is said.
macro_rules! descriptor {
    ($first:ident) => {
        $first
    };
    ($first:ident $at:ident) => {
        $at
    };
}

macro_rules! define {
    ($linker:ident, $($name:ident as $call:ident(
        $fd:ident: i32 $(, $argument:ident: $type:ty)*
    ) $(at $at:ident)? $(moves [$($moved:ident),*])?;)*) => {$(
        $linker.func_wrap_async(
            PREVIEW_1,
            stringify!($name),
            |mut caller: Caller<'_, State>, ($fd, $($argument,)*): (i32, $($type,)*)| {
                Box::new(async move {
                    let control = Arc::clone(&caller.data().control);
                    let files = caller.data().wasi.files(descriptor!($fd $($at)?)).cloned();
                    $(caller.data_mut().wasi.moved(&[$($moved),*]);)?
                    let _at_work = caller.data().place.world.at_work();
                    let call = async {
                        let (mut memory, context) = guest(&mut caller)?;
                        wasi_snapshot_preview1::$name(context, &mut memory, $fd, $($argument),*).await
                    };
                    let done = in_call(&control, Call::$call, on_a_thread(files, call)).await;
                    answer_after(&caller, Call::$call);
                    done
                })
            },
        )?;
    )*};
}

macro_rules! define_at_once {
    ($linker:ident, $($name:ident($($argument:ident: $type:ty),*);)*) => {$(
        $linker.func_wrap(PREVIEW_1, stringify!($name), |mut caller: Caller<'_, State>, $($argument: $type),*| {
            let (mut memory, context) = guest(&mut caller)?;
            wasi_snapshot_preview1::$name(context, &mut memory, $($argument),*)
        })?;
    )*};
}

/// Defines them, but for those that the host does by itself.
pub(super) fn link(linker: &mut Definer) -> Result<()> {
    link_at_once(linker)?;
    link_descriptors(linker)?;
    link_paths(linker)
}

fn link_at_once(linker: &mut Definer) -> Result<()> {
    define_at_once! { linker,
        args_get(pointers: i32, bytes: i32);
        args_sizes_get(count: i32, bytes: i32);
        clock_res_get(clock: i32, result: i32);
        clock_time_get(clock: i32, precision: i64, result: i32);
        environ_get(pointers: i32, bytes: i32);
        environ_sizes_get(count: i32, bytes: i32);
        fd_allocate(fd: i32, offset: i64, length: i64);
        fd_fdstat_set_flags(fd: i32, flags: i32);
        fd_fdstat_set_rights(fd: i32, rights: i64, inherited: i64);
        fd_prestat_dir_name(fd: i32, path: i32, length: i32);
        fd_prestat_get(fd: i32, result: i32);
        fd_tell(fd: i32, result: i32);
        proc_raise(signal: i32);
        random_get(bytes: i32, length: i32);
        sock_accept(fd: i32, flags: i32, result: i32);
        sock_recv(fd: i32, buffers: i32, count: i32, flags: i32, length: i32, result: i32);
        sock_send(fd: i32, buffers: i32, count: i32, flags: i32, length: i32);
        sock_shutdown(fd: i32, how: i32);
    }
    Ok(())
}

fn link_descriptors(linker: &mut Definer) -> Result<()> {
    define! { linker,
        fd_advise as FdAdvise(fd: i32, offset: i64, length: i64, advice: i32);
        fd_close as FdClose(fd: i32) moves [fd];
        fd_datasync as FdDatasync(fd: i32);
        fd_fdstat_get as FdFdstatGet(fd: i32, result: i32);
        fd_filestat_get as FdFilestatGet(fd: i32, result: i32);
        fd_filestat_set_size as FdFilestatSetSize(fd: i32, size: i64);
        fd_filestat_set_times as FdFilestatSetTimes(fd: i32, accessed: i64, modified: i64, flags: i32);
        fd_pread as FdPread(fd: i32, buffers: i32, count: i32, offset: i64, result: i32);
        fd_pwrite as FdPwrite(fd: i32, buffers: i32, count: i32, offset: i64, result: i32);
        fd_read as FdRead(fd: i32, buffers: i32, count: i32, result: i32);
        fd_readdir as FdReaddir(fd: i32, at: i32, length: i32, cookie: i64, result: i32);
        fd_renumber as FdRenumber(from: i32, to: i32) moves [from, to];
        fd_seek as FdSeek(fd: i32, offset: i64, whence: i32, result: i32);
        fd_sync as FdSync(fd: i32);
        fd_write as FdWrite(fd: i32, buffers: i32, count: i32, result: i32);
    }
    Ok(())
}

fn link_paths(linker: &mut Definer) -> Result<()> {
    define! { linker,
        path_create_directory as PathCreateDirectory(fd: i32, path: i32, length: i32);
        path_filestat_get as PathFilestatGet(fd: i32, flags: i32, path: i32, length: i32, result: i32);
        path_filestat_set_times as PathFilestatSetTimes(
            fd: i32, flags: i32, path: i32, length: i32, accessed: i64, modified: i64, which: i32
        );
        path_link as PathLink(
            fd: i32, flags: i32, path: i32, length: i32, to_fd: i32, to_path: i32, to_length: i32
        );
        path_open as PathOpen(
            fd: i32, flags: i32, path: i32, length: i32, how: i32, rights: i64, inherited: i64, fd_flags: i32,
            result: i32
        );
        path_readlink as PathReadlink(fd: i32, path: i32, length: i32, at: i32, capacity: i32, result: i32);
        path_remove_directory as PathRemoveDirectory(fd: i32, path: i32, length: i32);
        path_rename as PathRename(fd: i32, path: i32, length: i32, to_fd: i32, to_path: i32, to_length: i32);
        path_symlink as PathSymlink(path: i32, length: i32, fd: i32, to_path: i32, to_length: i32) at fd;
        path_unlink_file as PathUnlinkFile(fd: i32, path: i32, length: i32);
    }
    Ok(())
}

/// Polls the call with a thread for what blocks, where the guest may have files at all; it is told to try again where its
/// tree has none left.
async fn on_a_thread(files: Option<Arc<FileWork>>, call: impl Future<Output = Result<i32>>) -> Result<i32> {
    match files {
        Some(files) => files.run(call).await.unwrap_or(Ok(i32::from(ERRNO_AGAIN))),
        None => call.await,
    }
}

/// Memory and context of the guest that calls, as wasmtime-wasi's own linker finds them.
fn guest<'a>(caller: &'a mut Caller<'_, State>) -> Result<(GuestMemory<'a>, &'a mut WasiP1Ctx)> {
    let fuel = caller.as_context_mut().hostcall_fuel();
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Err(wasmtime::Error::msg("missing required memory export"));
    };
    let (bytes, state) = memory.data_and_store_mut(caller);
    let context = context(state);
    context.set_hostcall_fuel(fuel);
    Ok((GuestMemory::Unshared(bytes), context))
}
