//! What the interface says when a request cannot be answered as asked: RFC 9457 `application/problem+json`.
//!
//! Handlers return an [`ApiError`]; [`render`] turns it into the answer and logs it, once, for all routes.

mod document;
mod error;
mod fault;
mod kind;
mod page;
mod render;

pub(crate) use document::{JobError, Problem};
pub(crate) use error::ApiError;
pub(crate) use fault::{Fault, Faults};
pub(crate) use page::{explain, index};
pub(crate) use render::{from_panic, render};
