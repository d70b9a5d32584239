//! The engine that all calls of a sandbox share, and how many of them run at once.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::Interrupt;
use crate::limits::{CALLS, INSTANCES, MEMORIES, NATIVE_STACK, TABLE_ELEMENTS, TABLES, WASM_STACK};

/// How often a guest that computes gives the host a chance to end it.
const TICK: Duration = Duration::from_millis(10);
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(19);
/// The most that a linear memory can be without 64-bit addresses. Only address space is set aside for it.
const MEMORY_ADDRESSES: usize = 4 << 30;
/// The address space of a memory where there is little of it; a memory that outgrows it moves.
const SMALL_RESERVATION: u64 = 64 << 20;
/// Bytes of a memory, of a table and of a stack that are cleared by writing when an instance ends, which costs less than
/// giving them back to the kernel and taking them again.
const KEPT_MEMORY: usize = 2 << 20;
const KEPT_TABLE: usize = 1 << 16;
const KEPT_STACK: usize = 1 << 16;
/// Places that stay warm while no instance uses them.
const WARM: u32 = 16;

/// An engine with as few of WebAssembly's features as guests need; what is off cannot be attacked.
///
/// Its instances come from a pool, which saves a third to a half of what a small call costs. Where the machine does not
/// give the pool its address space (`ulimit -v`), they are made one by one.
///
/// It has room for `calls` at once.
pub(super) fn new(calls: usize) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(NATIVE_STACK)
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        // A backtrace tells functions, and nothing but wasmtime unwinds a guest: of both there is much to load.
        .generate_address_map(false)
        .native_unwind_info(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(calls)));
    Engine::new(&config).or_else(|_| {
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand).memory_reservation(SMALL_RESERVATION);
        Engine::new(&config)
    })
}

/// A pool that has room for what `calls` may take together.
fn pool(calls: usize) -> PoolingAllocationConfig {
    let each = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let all = |count: usize| each(count.saturating_mul(calls));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(all(1))
        .total_stacks(all(1))
        .total_memories(all(MEMORIES))
        .total_tables(all(TABLES))
        .total_core_instances(all(INSTANCES))
        .max_memories_per_component(each(MEMORIES))
        .max_tables_per_component(each(TABLES))
        .max_core_instances_per_component(each(INSTANCES))
        .max_memories_per_module(each(MEMORIES))
        .max_tables_per_module(each(TABLES))
        .max_memory_size(MEMORY_ADDRESSES)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(KEPT_TABLE)
        .async_stack_keep_resident(KEPT_STACK)
        .max_unused_warm_slots(WARM);
    pool
}

/// Advances the engine's epoch until the engine is gone.
pub(super) fn start_ticking(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// The calls that run; more than [`CALLS`] wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<usize>,
    given_back: Condvar,
}

/// The right to run, until it is dropped.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for a turn; nothing where `interrupt` was raised first.
    pub(super) fn take(&self, interrupt: &Interrupt) -> Option<Turn<'_>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= CALLS {
            if interrupt.is_interrupted() {
                return None;
            }
            taken = self.given_back.wait_timeout(taken, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken += 1;
        Some(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_too_many_waits_until_a_turn_is_given_back_or_it_is_interrupted() {
        let turns = Turns::default();
        let interrupt = Interrupt::new();
        let mut taken: Vec<_> = (0..CALLS).map(|_| turns.take(&interrupt).unwrap()).collect();
        std::thread::scope(|threads| {
            let waiting = threads.spawn(|| turns.take(&interrupt).is_some());
            taken.pop();
            assert!(waiting.join().unwrap());
            let _last = turns.take(&interrupt);
            let waiting = threads.spawn(|| turns.take(&interrupt).is_some());
            interrupt.interrupt();
            assert!(!waiting.join().unwrap());
        });
    }
}
