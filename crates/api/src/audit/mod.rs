//! What happened, when and by whom, in every account: for operators.

pub(crate) mod events;
pub(crate) mod parked;

/// Events on a page unless the client says how many.
const DEFAULT_LIMIT: u32 = 100;
/// Most events on a page.
const MAX_LIMIT: u32 = 500;
