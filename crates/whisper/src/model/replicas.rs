//! The copies of a model that work side by side.

use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ct2rs::sys::Whisper;

/// Replicas of one model, lent one by one: whoever finds none free waits, so that no more is computed, and no more
/// memory taken, than the model was loaded for, however many transcriptions share it.
pub(crate) struct Replicas {
    all: Vec<Whisper>,
    free: Mutex<Vec<usize>>,
    freed: Condvar,
}

impl Replicas {
    pub(super) fn new(all: Vec<Whisper>) -> Self {
        Self { free: Mutex::new((0..all.len()).collect()), all, freed: Condvar::new() }
    }

    /// What all replicas have in common.
    pub(super) fn first(&self) -> &Whisper {
        &self.all[0]
    }

    /// Frees the weights; nobody can have a loan while `self` is borrowed mutably.
    pub(super) fn unload(&mut self) {
        self.all.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// A replica for the caller alone, given back when the loan is dropped. Blocks until one is free.
    pub(super) fn lend(&self) -> Loan<'_> {
        let mut free =
            self.freed.wait_while(self.free(), |free| free.is_empty()).unwrap_or_else(PoisonError::into_inner);
        let index = free.pop().expect("the wait ended because one is free");
        Loan { replicas: self, index }
    }

    fn free(&self) -> MutexGuard<'_, Vec<usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A replica in use.
pub(crate) struct Loan<'a> {
    replicas: &'a Replicas,
    index: usize,
}

impl Deref for Loan<'_> {
    type Target = Whisper;

    fn deref(&self) -> &Whisper {
        &self.replicas.all[self.index]
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.replicas.free().push(self.index);
        self.replicas.freed.notify_one();
    }
}
