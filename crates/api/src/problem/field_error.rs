//! Where a request is not valid.

use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_application::FieldError;
use ytcaption_domain::text::{self, MAX_MESSAGE_CHARS};

/// Longest name of a field or parameter that is repeated, in characters; a client may give any.
const MAX_NAME_CHARS: usize = 100;

/// One error of a request: in a field of the body or in a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RequestError {
    /// The field that is not valid: a JSON pointer (RFC 6901) into the body; in a form `/` and the field's name.
    #[schema(example = "/language")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    /// The parameter that is not valid, in the path, the query or a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// What is wrong with it and what to write instead.
    #[schema(example = "`en-US` is not a language that Whisper knows; use `auto` or `en`")]
    pub(crate) detail: String,
}

impl RequestError {
    /// An error in a parameter.
    pub(crate) fn in_parameter(name: &str, detail: impl AsRef<str>) -> Self {
        let name = text::clean(name, MAX_NAME_CHARS);
        Self { pointer: None, parameter: Some(name), detail: text::clean(detail.as_ref(), MAX_MESSAGE_CHARS) }
    }

    /// An error in the body's field `name`, or in the whole body if the name is empty.
    pub(crate) fn in_field(name: &str, detail: impl AsRef<str>) -> Self {
        let name = text::clean(name, MAX_NAME_CHARS);
        // RFC 6901, section 3: `~` and `/` are escaped within a reference token.
        let token = name.replace('~', "~0").replace('/', "~1");
        let pointer = if name.is_empty() { String::new() } else { format!("/{token}") };
        Self { pointer: Some(pointer), parameter: None, detail: text::clean(detail.as_ref(), MAX_MESSAGE_CHARS) }
    }
}

impl From<FieldError> for RequestError {
    fn from(error: FieldError) -> Self {
        Self::in_field(error.field, error.detail)
    }
}
