//! The replicas of a model, which work side by side.

use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::Engine;

/// Replicas of one model, acquired one by one: a caller that finds none free waits, so that no more is computed, and no
/// more memory taken, than the model was loaded for, however many transcriptions share it.
pub(crate) struct Replicas {
    /// `None` while the model is being unloaded.
    engine: Option<Engine>,
    count: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

impl Replicas {
    pub(super) fn new(engine: Engine, count: usize) -> Self {
        Self { engine: Some(engine), count, free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Frees the weights; no guard can exist while `self` is borrowed mutably.
    pub(super) fn unload(&mut self) {
        self.engine = None;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// A replica for the caller alone, released when the guard is dropped. Blocks until one is free.
    pub(super) fn acquire(&self) -> ReplicaGuard<'_> {
        let mut free = self.freed.wait_while(self.free(), |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        ReplicaGuard { replicas: self }
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A replica in use. The engine decides which one computes: it has as many as there may be guards.
pub(crate) struct ReplicaGuard<'a> {
    replicas: &'a Replicas,
}

impl Deref for ReplicaGuard<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.replicas.engine.as_ref().expect("a model is unloaded only when no guard borrows it")
    }
}

impl Drop for ReplicaGuard<'_> {
    fn drop(&mut self) {
        *self.replicas.free() += 1;
        self.replicas.freed.notify_one();
    }
}
