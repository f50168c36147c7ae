//! Reading the fields of a body one by one, so that one answer names every fault.

use serde_json::{Map, Value};
use url::{Host, Url};
use ytcaption_domain::network::{AddressPolicy, AddressRefusal};

use crate::problem::{ApiError, Faults};

/// Longest address, in characters; browsers and proxies take no longer ones either.
const MAX_URL_CHARS: usize = 2_048;

/// The fields of a body that have not been read yet, and the faults of those that have.
pub(super) struct Fields {
    given: Map<String, Value>,
    pub(super) faults: Faults,
}

impl Fields {
    /// The fields of a JSON object or of a form.
    pub(super) fn new(given: Map<String, Value>) -> Self {
        Self { given, faults: Faults::default() }
    }

    /// A text of at most `max_chars` characters, without blanks around it; none if it is absent, `null` or empty.
    pub(super) fn text(&mut self, name: &str, max_chars: usize) -> Option<String> {
        let text = match self.given.remove(name)? {
            Value::Null => return None,
            Value::String(text) => text.trim().to_owned(),
            _ => {
                self.faults.of_field(name, format!("`{name}` must be a text"));
                return None;
            }
        };
        if text.chars().count() > max_chars {
            self.faults.of_field(name, format!("`{name}` is longer than {max_chars} characters"));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.faults.of_field(name, format!("`{name}` holds line breaks or other control characters"));
            return None;
        }
        (!text.is_empty()).then_some(text)
    }

    /// A yes or no: a boolean, or in a form the word `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.given.remove(name)? {
            Value::Null => None,
            Value::Bool(flag) => Some(flag),
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) if text.trim() == "true" => Some(true),
            Value::String(text) if text.trim() == "false" => Some(false),
            _ => {
                self.faults.of_field(name, format!("`{name}` must be true or false"));
                None
            }
        }
    }

    /// A text of at most `max_chars` characters that `read` accepts.
    pub(super) fn parsed<T, E: ToString>(
        &mut self,
        name: &str,
        max_chars: usize,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name, max_chars)?;
        read(&text).map_err(|error| self.faults.of_field(name, error.to_string())).ok()
    }

    /// An address that may be connected to, as far as can be told without resolving its host.
    pub(super) fn url(&mut self, name: &str, network: &AddressPolicy) -> Option<Url> {
        self.parsed(name, MAX_URL_CHARS, |text| read_url(text, network))
    }

    /// Whether a field is given and not yet read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|value| !value.is_null() && value != "")
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All faults so far, and all fields that nobody has read.
    pub(super) fn finish(mut self) -> Result<(), ApiError> {
        for name in self.given.keys() {
            self.faults.of_field(name, "This field is unknown here; correct its name or remove it");
        }
        if self.faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.faults)) }
    }
}

fn read_url(text: &str, network: &AddressPolicy) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("This is not a URL ({error}); write it in full, such as https://example.org/talk.mp4")
    })?;
    network.check_url(&url).and_then(|()| refuse_localhost(&url, network)).map_err(|refusal| refusal.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("A URL with a user name or password in it is refused, as it would be kept and shown; use one \
                    that needs none"
            .to_owned());
    }
    Ok(url)
}

/// `localhost` and the names below it are loopback by definition (RFC 6761, section 6.3).
fn refuse_localhost(url: &Url, network: &AddressPolicy) -> Result<(), AddressRefusal> {
    let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
    let name = name.trim_end_matches('.');
    let loopback = std::net::Ipv4Addr::LOCALHOST.into();
    if (name == "localhost" || name.ends_with(".localhost")) && !network.permits(loopback) {
        return Err(AddressRefusal::Private(loopback));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        read_url(text, &AddressPolicy::default()).expect_err(text)
    }

    #[test]
    fn an_address_of_the_public_internet_is_taken() {
        let url = read_url("https://Example.org/talk.mp4?t=1", &AddressPolicy::default()).expect("a public address");
        assert_eq!(url.as_str(), "https://example.org/talk.mp4?t=1");
    }

    #[test]
    fn an_address_that_leads_elsewhere_is_refused_with_the_reason() {
        for (text, reason) in [
            ("talk.mp4", "not a URL"),
            ("https://", "not a URL"),
            ("file:///etc/passwd", "begin with `file:`"),
            ("ftp://example.org/a", "begin with `ftp:`"),
            ("http://127.0.0.1/a", "private, loopback"),
            ("http://2130706433/a", "private, loopback"),
            ("http://[::1]:8000/", "private, loopback"),
            ("http://169.254.169.254/latest/meta-data", "private, loopback"),
            ("http://LOCALHOST:9/", "private, loopback"),
            ("http://a.localhost./", "private, loopback"),
            ("https://me:secret@example.org/", "user name or password"),
        ] {
            assert!(refusal(text).contains(reason), "{text}: {}", refusal(text));
        }
    }

    #[test]
    fn an_exempt_network_may_be_reached_by_number_and_by_name() {
        let network = AddressPolicy::new(["127.0.0.0/8"]).expect("a network");
        for text in ["http://127.0.0.1:8080/a.mp4", "http://localhost:8080/a.mp4"] {
            assert!(read_url(text, &network).is_ok(), "{text}");
        }
    }
}
