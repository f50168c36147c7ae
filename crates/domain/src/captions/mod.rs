//! What was heard, and how it is written down: segments and the caption file formats.

mod segment;

pub use segment::{Segment, Transcript, Word};
