//! wasmtime's engines as this host sets them up, and the budget of memory maps that all hosts of a process share.
//!
//! Engines of different [`Kind`]s of code differ in what they check, and compiled code of one is nothing to the other. Engines of one
//! kind differ in the sizes of their pools only, and take each other's code.
//!
//! A host begins with an engine that has no pool ([`first_engine`]). What only a pool refuses, it is asked about by one of
//! its own ([`Trial`]).
//!
//! Pool sizes are set together and derived from one number, how many isolates may live. Figures behind the settings:
//! six memory maps for each live isolate, and wasmtime fails hard when the kernel refuses one, so that number is held
//! below what the kernel allows. wasm threads, shared memory and garbage collection are off.

use std::sync::OnceLock;

use wasmtime::{
    Collector, Config, Enabled, Engine, InstanceAllocationStrategy, Module, OptLevel, PoolingAllocationConfig, Store,
    Strategy, WasmBacktrace, WasmBacktraceDetails,
};

use crate::error::BuildError;
use crate::sync::Mutex;

/// How code is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) enum Kind {
    /// With a check of the epoch in every loop and at every call: it can be preempted and killed anywhere.
    Checked,
    /// So too, and what it does is counted, as fuel.
    Counted,
    /// Without: it gives way only where it waits.
    Trusted,
}

/// What a pool is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Isolates that may live at once.
    pub(crate) isolates: u32,
    /// Linear memory that one may have at most.
    pub(crate) memory_bytes_max: u64,
    /// Address space for each. Below 4 GiB code checks the bounds of its accesses.
    pub(crate) memory_reservation_bytes: u64,
    /// Elements that one table may have at most.
    pub(crate) table_elements_max: usize,
    /// Whether who traps leaves a core dump.
    pub(crate) core_dumps: bool,
}

/// Places beyond the isolates that may live, for the Stores of the dead that are not dropped yet and for the batch that
/// wasmtime gives back at a time: while it does, none of them can be had.
const SLACK: u32 = 512;

/// Dead memories that are given back at a time. More make a spawn cheaper, and as many keep their pages until then.
const DECOMMIT_BATCH: usize = 64;

/// Births before a host makes its pool.
pub(crate) const FIRST_BIRTHS: u32 = 16;

/// A host that grows has no more isolates than this. Only a larger one may lack the address space for all of them, and
/// that is to be found out when it is built.
const GROWING_MAX: u32 = 2_000;

/// Of the budget, a place without an isolate costs a third of one with.
const EMPTY_PLACES_PER_COST: u32 = 3;

/// Memory maps of one live isolate.
const MAPS_PER_ISOLATE: u64 = 6;

/// Memory maps that the rest of the process may need.
const MAPS_RESERVED: u64 = 4_000;

/// Of each, a module has one at most.
const MEMORIES_MAX: u32 = 1;
const TABLES_MAX: u32 = 1;

/// Bytes of a page of linear memory. Other sizes are a proposal that is off.
const PAGE_BYTES: u64 = 64 << 10;

/// Bytes of a fiber's stack, and of those the guest's own share.
///
/// A guest decodes a message by recursion, 512 levels at most (`codec::DEPTH_MAX`). Measured: a level is 0.4 KiB of
/// stack in an optimised guest and 1.2 KiB in one that is not. Only what was touched is memory.
const FIBER_STACK_BYTES: usize = 1 << 20;
const WASM_STACK_BYTES: usize = 768 << 10;

/// The places of one pool, given back when it goes.
#[derive(Debug)]
pub(crate) struct Places(u32);

static TAKEN: Mutex<u32> = Mutex::new(0);

impl Places {
    /// Takes places out of the budget of the process.
    pub(crate) fn take(wanted: u32) -> Result<Places, BuildError> {
        let budget = budget();
        let mut taken = TAKEN.lock();
        let further = if grows(wanted) { SLACK + FIRST_BIRTHS } else { SLACK };
        let cost = wanted.saturating_add(further / EMPTY_PLACES_PER_COST);
        match taken.checked_add(cost) {
            Some(sum) if sum <= budget => {
                *taken = sum;
                Ok(Places(cost))
            }
            Some(_) | None => Err(BuildError::TooManyIsolates { wanted, budget, taken: *taken }),
        }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        *TAKEN.lock() -= self.0;
    }
}

/// How many isolates this process may hold, all hosts together.
pub(crate) fn budget() -> u32 {
    static BUDGET: OnceLock<u32> = OnceLock::new();
    *BUDGET.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
        let maps = text.trim().parse::<u64>().unwrap_or(65_530);
        u32::try_from(maps.saturating_sub(MAPS_RESERVED) / MAPS_PER_ISOLATE).unwrap_or(u32::MAX)
    })
}

impl Shape {
    /// Whether a host begins without a pool, since making one takes time for each of its places.
    pub(crate) fn grows(&self) -> bool {
        grows(self.isolates)
    }
}

fn grows(isolates: u32) -> bool {
    isolates <= GROWING_MAX
}

/// An engine for code of this kind, with a pool of this shape, for all isolates that may live.
pub(crate) fn engine(kind: Kind, shape: &Shape) -> Result<Engine, BuildError> {
    pooled(kind, shape, shape.isolates + SLACK)
}

/// As [`engine`], without a pool: each birth is given its memory, table and stack by the system, and each end gives them
/// back. It takes the code of the other one, and modules that the other one refuses.
pub(crate) fn first_engine(kind: Kind, shape: &Shape) -> Result<Engine, BuildError> {
    made(config(kind, shape.memory_reservation_bytes).coredump_on_trap(shape.core_dumps))
}

fn pooled(kind: Kind, shape: &Shape, places: u32) -> Result<Engine, BuildError> {
    let mut config = config(kind, shape.memory_reservation_bytes);
    config.coredump_on_trap(shape.core_dumps);
    made(config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(shape, places))))
}

fn made(config: &Config) -> Result<Engine, BuildError> {
    Engine::new(config).map_err(|error| BuildError::Engine(format!("{error:#}")))
}

/// An engine that runs nothing, and makes the same code as [`engine`]: the pool has no part in it.
pub(crate) fn compiling_engine(kind: Kind, memory_reservation_bytes: u64) -> Result<Engine, BuildError> {
    made(&config(kind, memory_reservation_bytes))
}

/// What tells whether the pool of a host will take a module, before there is that pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
}

impl Trial {
    /// An engine that refuses what the pool would.
    pub(crate) fn engine(&self) -> Result<Engine, BuildError> {
        pooled(self.kind, &self.shape, 1)
    }

    /// Whether the pool takes this module, which one of another shape took.
    pub(crate) fn is_passed_by(&self, module: &Module) -> bool {
        let Shape { memory_bytes_max, table_elements_max, .. } = self.shape;
        let needs = module.resources_required();
        let memory_bytes = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE_BYTES);
        let table_elements = needs.max_initial_table_size.unwrap_or(0);
        // How large an instance may be, which is not asked here, is the same for all pools.
        needs.num_memories <= MEMORIES_MAX
            && needs.num_tables <= TABLES_MAX
            && memory_bytes <= memory_bytes_max
            && table_elements <= table_elements_max as u64
    }
}

/// To be raised when [`config`] changes: code that was made otherwise is not what it was asked for, and wasmtime does not look
/// at all settings.
pub(crate) const SETTINGS: u32 = 2;

/// All that compiled code depends on.
fn config(kind: Kind, memory_reservation_bytes: u64) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .concurrency_support(false)
        .epoch_interruption(kind != Kind::Trusted)
        .consume_fuel(kind == Kind::Counted)
        .async_stack_size(FIBER_STACK_BYTES)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_zeroing(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // For debuggers; on Windows it has to be there.
        .native_unwind_info(cfg!(windows))
        .gc_support(false)
        .collector(Collector::Null)
        .wasm_threads(false)
        .shared_memory(false)
        .wasm_memory64(false)
        .memory_reservation(memory_reservation_bytes);
    config
}

/// The error with a backtrace that has no frames: wasmtime walks the stack for no error that has one already.
///
/// Only a Store can make one, and that of an engine which takes none makes it for nothing.
pub(crate) fn without_frames(error: wasmtime::Error) -> wasmtime::Error {
    static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
    thread_local! {
        static STORE: Option<Store<()>> = {
            let engine = ENGINE.get_or_init(|| Engine::new(Config::new().wasm_backtrace_max_frames(None)).ok());
            engine.as_ref().map(|engine| Store::new(engine, ()))
        };
    }
    match STORE.with(|store| store.as_ref().map(WasmBacktrace::capture)) {
        Some(no_frames) => error.context(no_frames),
        None => error,
    }
}

fn pool(shape: &Shape, places: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(places)
        .total_memories(places)
        .total_tables(places)
        .total_stacks(places)
        .total_component_instances(0)
        .total_gc_heaps(0)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .max_core_instance_size(1 << 20)
        .max_memory_size(usize::try_from(shape.memory_bytes_max).unwrap_or(usize::MAX))
        .table_elements(shape.table_elements_max)
        .decommit_batch_size(DECOMMIT_BATCH)
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(100);
    pool
}

#[cfg(test)]
impl Trial {
    /// For a host of one isolate, whose memory and its address space are so large.
    pub(crate) fn of(kind: Kind, memory_bytes: u64) -> Trial {
        let shape = Shape {
            isolates: 1,
            memory_bytes_max: memory_bytes,
            memory_reservation_bytes: memory_bytes,
            table_elements_max: 1,
            core_dumps: false,
        };
        Trial { kind, shape }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back_and_too_many_name_the_sum() {
        let some = Places::take(3).unwrap();
        match Places::take(u32::MAX - 10) {
            Err(BuildError::TooManyIsolates { wanted, taken, .. }) => {
                assert_eq!(wanted, u32::MAX - 10);
                assert!(taken >= 3);
            }
            other => panic!("{other:?}"),
        }
        drop(some);
    }
}
