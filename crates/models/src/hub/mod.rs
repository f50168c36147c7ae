//! Models from a Hugging Face hub.
