//! The models in memory: each loaded once, shared by all who ask for it, and unloaded when another needs the room.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::SetOnce;
use ytcaption_whisper::{ModelError, ModelInfo, ModelSettings, Transcriber};

use crate::{Catalogue, Entry, Layout, cores};

/// How often somebody who waits for room looks whether a model has come free.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Which models there are and what they may take.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSettings {
    /// Which there are.
    pub catalogue: Catalogue,
    /// How they are loaded; 0 for `inter_threads` or `intra_threads` has them chosen for this machine.
    pub model: ModelSettings,
    /// Memory that the weights of all loaded models together may take, in bytes.
    pub memory_bytes: u64,
}

/// Why a model cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is none of that name.
    #[error("there is no model `{asked}`; this server has: {known}")]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// Its folder cannot be used.
    #[error("the model `{name}` cannot be used: {reason}")]
    Broken {
        /// Which.
        name: String,
        /// Why.
        reason: Arc<ModelError>,
    },
    /// It alone is larger than all models may be.
    #[error(
        "the model `{name}` takes {} MiB, and all models together may take {} MiB: raise models.memory_mib, or choose \
         a smaller model", needed / MIB, allowed / MIB
    )]
    TooLarge {
        /// Which.
        name: String,
        /// Bytes it takes.
        needed: u64,
        /// Bytes there are.
        allowed: u64,
    },
}

const MIB: u64 = 1024 * 1024;

/// The models in memory.
pub struct ModelStore {
    settings: StoreSettings,
    /// Held by whoever looks for a model, also while waiting for room, so that all are served in the order they came:
    /// else a model that is always in use would keep every other out. Loading happens outside.
    door: tokio::sync::Mutex<()>,
    /// Least recently used first.
    slots: Mutex<Vec<Arc<Slot>>>,
}

/// A model in memory, or on its way there.
struct Slot {
    name: String,
    folder: PathBuf,
    bytes: u64,
    loaded: SetOnce<Result<Transcriber, Arc<ModelError>>>,
}

impl Slot {
    /// Whether nobody has it or waits for it, so that it can be unloaded.
    fn is_idle(self: &Arc<Self>) -> bool {
        let unshared = |loaded: &Result<Transcriber, _>| loaded.as_ref().is_ok_and(|model| !model.is_shared());
        Arc::strong_count(self) == 1 && self.loaded.get().is_some_and(unshared)
    }
}

impl ModelStore {
    /// Nothing is loaded yet.
    pub fn new(settings: StoreSettings) -> Self {
        Self { settings, door: tokio::sync::Mutex::default(), slots: Mutex::default() }
    }

    /// Which models there are.
    pub fn catalogue(&self) -> &Catalogue {
        &self.settings.catalogue
    }

    /// Names of the models whose folders look whole; weights are not compared with their checksums.
    pub fn usable(&self) -> Vec<String> {
        let settings = ModelSettings { verify_checksums: false, ..self.settings.model.clone() };
        let models = self.settings.catalogue.models();
        models.into_iter().filter(|model| model.info(&settings).is_ok()).map(|model| model.name).collect()
    }

    /// Names of the models in memory, the least recently used first.
    pub fn loaded(&self) -> Vec<String> {
        self.slots().iter().filter(|slot| slot.loaded.get().is_some()).map(|slot| slot.name.clone()).collect()
    }

    /// The model of that name; loaded if it is not, after others were unloaded if there is no room. It stays in memory
    /// as long as any clone of it lives.
    ///
    /// # Errors
    /// There is none, its folder is broken, or it is larger than all models may be.
    pub async fn get(&self, name: &str) -> Result<Transcriber, StoreError> {
        let catalogue = self.settings.catalogue.clone();
        let entry = catalogue
            .find(name)
            .ok_or_else(|| StoreError::Unknown { asked: name.to_owned(), known: self.usable().join(", ") })?;
        let slot = self.slot(&entry).await?;
        match slot.loaded.wait().await {
            Ok(model) => Ok(model.clone()),
            Err(reason) => {
                // The next one who asks tries again: the folder may have been mended.
                self.slots().retain(|other| !Arc::ptr_eq(other, &slot));
                Err(StoreError::Broken { name: entry.name, reason: Arc::clone(reason) })
            }
        }
    }

    /// The place of a model; one that was not there has begun to load.
    async fn slot(&self, entry: &Entry) -> Result<Arc<Slot>, StoreError> {
        let _door = self.door.lock().await;
        if let Some(slot) = self.touch(entry) {
            return Ok(slot);
        }
        let broken = |reason| StoreError::Broken { name: entry.name.clone(), reason: Arc::new(reason) };
        let info = {
            // Checksums are compared while loading, which nobody else waits for.
            let settings = ModelSettings { verify_checksums: false, ..self.settings.model.clone() };
            let reading = entry.clone();
            let read = tokio::task::spawn_blocking(move || reading.info(&settings)).await;
            read.unwrap_or_else(|error| Err(died(&entry.folder, &error))).map_err(broken)?
        };
        let layout = self.layout(&info);
        let bytes = info.footprint.bytes(layout.replicas);
        self.make_room(&entry.name, bytes).await?;
        let settings = ModelSettings {
            inter_threads: layout.replicas,
            intra_threads: layout.threads,
            ..self.settings.model.clone()
        };
        Ok(self.load(entry, settings, bytes))
    }

    fn layout(&self, info: &ModelInfo) -> Layout {
        let ModelSettings { inter_threads, intra_threads, .. } = self.settings.model;
        Layout::choose(inter_threads, intra_threads, cores(), info.footprint, self.settings.memory_bytes)
    }

    /// The model's place, if it has one; it is now the most recently used.
    fn touch(&self, entry: &Entry) -> Option<Arc<Slot>> {
        let mut slots = self.slots();
        let at = slots.iter().position(|slot| slot.folder == entry.folder)?;
        let slot = slots.remove(at);
        slots.push(Arc::clone(&slot));
        Some(slot)
    }

    /// Returns when `bytes` more fit; unloads for that what was used longest ago and is not in use.
    async fn make_room(&self, name: &str, bytes: u64) -> Result<(), StoreError> {
        let allowed = self.settings.memory_bytes;
        if bytes > allowed {
            return Err(StoreError::TooLarge { name: name.to_owned(), needed: bytes, allowed });
        }
        let mut told = false;
        loop {
            if self.unload_until(allowed - bytes) {
                return Ok(());
            }
            if !told {
                tracing::info!(model = name, "waiting for a model in use to come free: there is no room for another");
                told = true;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Unloads idle models, the least recently used first, until no more than `most` bytes are in use.
    fn unload_until(&self, most: u64) -> bool {
        let mut slots = self.slots();
        loop {
            let used: u64 = slots.iter().map(|slot| slot.bytes).sum();
            if used <= most {
                return true;
            }
            let Some(idle) = slots.iter().position(Slot::is_idle) else { return false };
            let slot = slots.remove(idle);
            tracing::info!(model = slot.name, bytes = slot.bytes, "model unloaded to make room for another");
        }
    }

    /// Begins to load; goes on whether or not anybody still waits for it.
    fn load(&self, entry: &Entry, settings: ModelSettings, bytes: u64) -> Arc<Slot> {
        let slot =
            Arc::new(Slot { name: entry.name.clone(), folder: entry.folder.clone(), bytes, loaded: SetOnce::new() });
        self.slots().push(Arc::clone(&slot));
        let loading = Arc::clone(&slot);
        tokio::spawn(async move {
            let folder = loading.folder.clone();
            let (replicas, threads) = (settings.inter_threads, settings.intra_threads);
            let loaded = tokio::task::spawn_blocking(move || Transcriber::load(&folder, &settings)).await;
            let loaded = loaded.unwrap_or_else(|error| Err(died(&loading.folder, &error))).map_err(Arc::new);
            match &loaded {
                Ok(_) => tracing::info!(model = loading.name, replicas, threads, bytes, "model ready"),
                Err(error) => tracing::error!(model = loading.name, %error, "a model cannot be loaded"),
            }
            // Nobody else sets it.
            let _ = loading.loaded.set(loaded);
        });
        slot
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn died(folder: &std::path::Path, error: &tokio::task::JoinError) -> ModelError {
    ModelError::Load { path: folder.to_owned(), reason: format!("loading broke off: {error}") }
}

#[cfg(test)]
mod tests;
