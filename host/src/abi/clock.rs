//! `clock`: time, in steps of 1 ms unless the grant for more is there.

use std::task::Waker;

use wasmtime::{Caller, Result};

use super::{Definer, State, Until, answer, interface, wait};
use crate::control::{Call, Flags};

const CLOCK: &str = interface!("clock");

pub(super) fn link(linker: &mut Definer) -> Result<()> {
    linker.func_wrap(CLOCK, "now", now)?;
    linker.func_wrap_async(CLOCK, "sleep", |caller, (until,)| Box::new(sleep(caller, until)))?;
    Ok(())
}

fn now(caller: Caller<'_, State>) -> u64 {
    caller.data().now()
}

async fn sleep(caller: Caller<'_, State>, until: u64) -> Result<u32> {
    let state = caller.data();
    state.called();
    let deadline = state.instant(until);
    let (no_end, call) = (state.has_no_end(), Flags::of_call(Call::Sleep));
    let until = Until { deadline, ports_only: false, no_end, call };
    wait(caller, until, |_: &mut Caller<'_, State>, _: &Waker| None::<()>).await?;
    answer(Ok(()))
}
