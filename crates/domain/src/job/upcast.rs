//! How earlier versions of job events are read.

use serde_json::{Map, Value, json};

use crate::upcast::{Upcast, Upcaster};

/// Every step from an earlier version to the next.
pub(super) const UPCASTERS: &[Upcaster] = &[Upcaster { name: "JobCreated", version: 1, read: created_v1 }];

/// Version 1 had `language` and `model` beside the others, and knew no task but to write down what is said.
fn created_v1(mut payload: Map<String, Value>) -> Result<Vec<Upcast>, String> {
    let language = payload.remove("language").ok_or("it has no `language`")?;
    let mut transcription = json!({ "language": language, "task": "transcribe" });
    if let Some(model) = payload.remove("model") {
        transcription["model"] = model;
    }
    payload.insert("transcription".to_owned(), transcription);
    Ok(vec![Upcast { name: "JobCreated", version: 2, payload }])
}
