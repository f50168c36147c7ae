//! Faults of a request, collected so that one answer names them all.

use serde::Serialize;
use utoipa::ToSchema;

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// The field at fault: a JSON pointer (RFC 6901) into the body; in a form `/` and the field's name.
    #[schema(example = "/language")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    /// The parameter at fault, in the path, the query or a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// What is wrong with it and what to write instead.
    #[schema(example = "`en-US` is no language that Whisper knows; use `auto` or `en`")]
    pub(crate) detail: String,
}

impl Fault {
    /// A fault of a parameter.
    pub(crate) fn of_parameter(name: &str, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.to_owned()), detail: detail.into() }
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    /// Adds a fault of the body's field `name`, or of the whole body if the name is empty.
    pub(crate) fn of_field(&mut self, name: &str, detail: impl Into<String>) {
        // RFC 6901, section 3: `~` and `/` are escaped within a reference token.
        let token = name.replace('~', "~0").replace('/', "~1");
        let pointer = if name.is_empty() { String::new() } else { format!("/{token}") };
        self.0.push(Fault { pointer: Some(pointer), parameter: None, detail: detail.into() });
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
