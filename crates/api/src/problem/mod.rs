//! What the interface answers when a request fails: RFC 9457 `application/problem+json`.
//!
//! Handlers return an [`ApiError`]; [`render`] turns it into the answer and logs it, once, for all routes of this face.
//! Another face renders its errors in a shape of its own.

mod document;
mod error;
mod field_error;
mod page;
mod render;
mod use_cases;

pub(crate) use document::Problem;
pub(crate) use error::ApiError;
pub(crate) use field_error::RequestError;
pub(crate) use page::{explain, index};
pub(crate) use render::{from_panic, render};
