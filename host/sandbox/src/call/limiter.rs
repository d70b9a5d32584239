//! What a store may take of the host's memory.

use wasmtime::ResourceLimiter;

use crate::limits::{INSTANCES, Limit, LimitExceeded, MEMORIES, TABLE_ELEMENTS, TABLES};

/// Sums the memories and the tables of a call: a limit on each alone would be one on none.
#[derive(Debug)]
pub(crate) struct Limiter {
    allowed: u64,
    memory: u64,
    peak: u64,
    elements: usize,
}

impl Limiter {
    pub(super) fn new(allowed: u64) -> Self {
        Self { allowed, memory: 0, peak: 0, elements: 0 }
    }

    /// Bytes of linear memory at most.
    pub(super) fn peak(&self) -> u64 {
        self.peak
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let memory = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        if memory > self.allowed {
            return Err(LimitExceeded::new(Limit::Memory, self.allowed).into());
        }
        self.memory = memory;
        self.peak = self.peak.max(memory);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_add(desired.saturating_sub(current));
        if elements > TABLE_ELEMENTS {
            return Err(LimitExceeded::new(Limit::Shape, TABLE_ELEMENTS as u64).into());
        }
        self.elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_summed() {
        let mut limiter = Limiter::new(300);
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_growing(100, 200, None).unwrap());
        let error = limiter.memory_growing(100, 101, None).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&LimitExceeded::new(Limit::Memory, 300)));
        assert_eq!(limiter.peak(), 300);
    }

    #[test]
    fn a_memory_beyond_its_own_maximum_costs_nothing() {
        let mut limiter = Limiter::new(300);
        assert!(!limiter.memory_growing(0, 200, Some(100)).unwrap());
        assert_eq!(limiter.peak(), 0);
    }

    #[test]
    fn tables_are_summed() {
        let mut limiter = Limiter::new(0);
        assert!(limiter.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert!(limiter.table_growing(0, 1, None).is_err());
    }
}
