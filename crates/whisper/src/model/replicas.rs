//! The replicas of a model, which work side by side.

use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::engine::Engine;

/// Replicas of one model, lent one by one: whoever finds none free waits, so that no more is computed, and no more
/// memory taken, than the model was loaded for, however many transcriptions share it.
pub(crate) struct Replicas {
    /// Gone when the model is being unloaded.
    engine: Option<Engine>,
    count: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

impl Replicas {
    pub(super) fn new(engine: Engine, count: usize) -> Self {
        Self { engine: Some(engine), count, free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Frees the weights; nobody can have a loan while `self` is borrowed mutably.
    pub(super) fn unload(&mut self) {
        self.engine = None;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// A replica for the caller alone, given back when the loan is dropped. Blocks until one is free.
    pub(super) fn lend(&self) -> Loan<'_> {
        let mut free = self.freed.wait_while(self.free(), |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Loan { replicas: self }
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A replica in use. Which one computes is the engine's affair: it has as many as are lent.
pub(crate) struct Loan<'a> {
    replicas: &'a Replicas,
}

impl Deref for Loan<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.replicas.engine.as_ref().expect("a model is unloaded only when nobody borrows it")
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        *self.replicas.free() += 1;
        self.replicas.freed.notify_one();
    }
}
