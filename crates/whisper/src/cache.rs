//! The models in memory: each loaded once, shared by its users, and unloaded when another needs the memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::SetOnce;
use ytcaption_models::{Catalogue, Checksums, Layout, ModelEntry, ModelInfo, ModelSettings, cores};

use crate::engine::footprint;
use crate::model::LoadError;
use crate::transcriber::Transcriber;

/// How often a caller that waits for memory checks whether a model became idle.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Which models can be loaded, how, and how much memory they may take; set from `[models]` and `[transcription]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheSettings {
    /// The models that can be loaded.
    pub catalogue: Catalogue,
    /// How they are loaded; 0 for `inter_threads` or `intra_threads` means a number chosen for this machine.
    pub model: ModelSettings,
    /// Memory that all loaded models together may take, in bytes.
    pub memory_bytes: u64,
}

/// A model cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CacheError {
    /// The catalogue has no model of that name.
    #[error("there is no model `{requested}`; this server has: {known}")]
    Unknown {
        /// The requested name.
        requested: String,
        /// The names of the usable models, separated by commas.
        known: String,
    },
    /// It cannot be loaded.
    #[error("the model `{name}` cannot be used: {reason}")]
    Broken {
        /// The model's name.
        name: String,
        /// The reason, shared by all callers that waited for it.
        reason: Arc<LoadError>,
    },
    /// It alone needs more memory than all models together may take.
    #[error(
        "the model `{name}` takes {} MiB, and all models together may take {} MiB: raise models.memory_mib, or choose \
         a smaller model", needed / MIB, allowed / MIB
    )]
    TooLarge {
        /// The model's name.
        name: String,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that all models together may take.
        allowed: u64,
    },
}

const MIB: u64 = 1024 * 1024;

/// The models in memory. A caller gets a clone of the [`Transcriber`]; a model is in use while a clone exists.
pub struct ModelCache {
    settings: CacheSettings,
    /// Held by a caller while it looks up a model and waits for memory, so that callers are served in order: else a model
    /// that is always in use would keep every other out. It is not held while a model loads.
    queue: tokio::sync::Mutex<()>,
    /// Least recently used first.
    slots: Mutex<Vec<Arc<Slot>>>,
}

/// A model that is loaded or being loaded.
struct Slot {
    name: String,
    directory: PathBuf,
    bytes: u64,
    loaded: SetOnce<Result<Transcriber, Arc<LoadError>>>,
}

impl Slot {
    /// Whether no caller uses it or waits for it, so that it can be unloaded.
    fn is_idle(self: &Arc<Self>) -> bool {
        let unshared = |loaded: &Result<Transcriber, _>| loaded.as_ref().is_ok_and(|model| !model.is_shared());
        Arc::strong_count(self) == 1 && self.loaded.get().is_some_and(unshared)
    }
}

impl CacheSettings {
    /// How a model is spread over this machine, and the bytes that it then takes.
    pub fn layout(&self, info: &ModelInfo) -> (Layout, u64) {
        let ModelSettings { inter_threads, intra_threads, .. } = self.model;
        let footprint = footprint(info, &self.model);
        let layout = Layout::choose(inter_threads, intra_threads, cores(), footprint, self.memory_bytes);
        (layout, footprint.bytes(layout.replicas))
    }
}

impl ModelCache {
    /// An empty cache.
    pub fn new(settings: CacheSettings) -> Self {
        Self { settings, queue: tokio::sync::Mutex::default(), slots: Mutex::default() }
    }

    /// The models that can be loaded.
    pub fn catalogue(&self) -> &Catalogue {
        &self.settings.catalogue
    }

    /// Names of the models whose files are complete; checksums are not verified.
    pub fn usable(&self) -> Vec<String> {
        let models = self.settings.catalogue.models();
        models.into_iter().filter(|model| model.info(Checksums::Skip).is_ok()).map(|model| model.name).collect()
    }

    /// Names of the models in memory, the least recently used first.
    pub fn loaded(&self) -> Vec<String> {
        self.slots().iter().filter(|slot| slot.loaded.get().is_some()).map(|slot| slot.name.clone()).collect()
    }

    /// The model of that name. It is loaded if it is not, after others were unloaded if memory is short, and stays in
    /// memory as long as any clone of it exists.
    ///
    /// # Errors
    /// There is no such model, it cannot be loaded, or it needs more memory than all models together may take.
    pub async fn get(&self, name: &str) -> Result<Transcriber, CacheError> {
        let catalogue = self.settings.catalogue.clone();
        let entry = catalogue
            .find(name)
            .ok_or_else(|| CacheError::Unknown { requested: name.to_owned(), known: self.usable().join(", ") })?;
        let slot = self.slot(&entry).await?;
        match slot.loaded.wait().await {
            Ok(model) => Ok(model.clone()),
            Err(reason) => {
                // The next caller tries again: the files may have been repaired.
                self.slots().retain(|other| !Arc::ptr_eq(other, &slot));
                Err(CacheError::Broken { name: entry.name, reason: Arc::clone(reason) })
            }
        }
    }

    /// The slot of a model; starts loading it if it has none.
    async fn slot(&self, entry: &ModelEntry) -> Result<Arc<Slot>, CacheError> {
        let _turn = self.queue.lock().await;
        if let Some(slot) = self.touch(entry) {
            return Ok(slot);
        }
        let broken = |reason| CacheError::Broken { name: entry.name.clone(), reason: Arc::new(reason) };
        let info = {
            // Checksums are verified while loading, for which no other caller waits.
            let reading = entry.clone();
            let read = tokio::task::spawn_blocking(move || reading.info(Checksums::Skip)).await;
            let read = read.map_err(|error| panicked(&entry.directory, &error)).and_then(|info| Ok(info?));
            read.map_err(broken)?
        };
        let (layout, bytes) = self.settings.layout(&info);
        self.free_memory(&entry.name, bytes).await?;
        let settings = ModelSettings {
            inter_threads: layout.replicas,
            intra_threads: layout.threads,
            ..self.settings.model.clone()
        };
        Ok(self.load(entry, settings, bytes))
    }

    /// The model's slot, if it has one; it is now the most recently used.
    fn touch(&self, entry: &ModelEntry) -> Option<Arc<Slot>> {
        let mut slots = self.slots();
        let index = slots.iter().position(|slot| slot.directory == entry.directory)?;
        let slot = slots.remove(index);
        slots.push(Arc::clone(&slot));
        Some(slot)
    }

    /// Returns when `bytes` more fit, after unloading the least recently used idle models.
    async fn free_memory(&self, name: &str, bytes: u64) -> Result<(), CacheError> {
        let allowed = self.settings.memory_bytes;
        if bytes > allowed {
            return Err(CacheError::TooLarge { name: name.to_owned(), needed: bytes, allowed });
        }
        let mut logged = false;
        loop {
            if self.unload_until(allowed - bytes) {
                return Ok(());
            }
            if !logged {
                tracing::info!(
                    model = name,
                    "waiting for a model in use to become idle: there is not enough memory for another"
                );
                logged = true;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Unloads idle models, the least recently used first, until at most `limit` bytes are in use.
    fn unload_until(&self, limit: u64) -> bool {
        let mut slots = self.slots();
        loop {
            let used: u64 = slots.iter().map(|slot| slot.bytes).sum();
            if used <= limit {
                return true;
            }
            let Some(idle) = slots.iter().position(Slot::is_idle) else { return false };
            let slot = slots.remove(idle);
            tracing::info!(
                model = slot.name,
                bytes = slot.bytes,
                "model unloaded to make memory available for another"
            );
        }
    }

    /// Starts loading a model, which goes on even if no caller waits for it any more.
    fn load(&self, entry: &ModelEntry, settings: ModelSettings, bytes: u64) -> Arc<Slot> {
        let slot = Arc::new(Slot {
            name: entry.name.clone(),
            directory: entry.directory.clone(),
            bytes,
            loaded: SetOnce::new(),
        });
        self.slots().push(Arc::clone(&slot));
        let loading = Arc::clone(&slot);
        tokio::spawn(async move {
            let directory = loading.directory.clone();
            let (replicas, threads) = (settings.inter_threads, settings.intra_threads);
            let loaded = tokio::task::spawn_blocking(move || Transcriber::load(&directory, &settings)).await;
            let loaded = loaded.unwrap_or_else(|error| Err(panicked(&loading.directory, &error))).map_err(Arc::new);
            match &loaded {
                Ok(_) => tracing::info!(model = loading.name, replicas, threads, bytes, "model ready"),
                Err(error) => tracing::error!(model = loading.name, %error, "a model cannot be loaded"),
            }
            // Only this task sets it.
            let _ = loading.loaded.set(loaded);
        });
        slot
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panicked(dir: &std::path::Path, error: &tokio::task::JoinError) -> LoadError {
    LoadError::Engine { path: dir.to_owned(), reason: format!("loading was interrupted: {error}") }
}

#[cfg(test)]
mod tests;
