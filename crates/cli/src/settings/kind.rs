//! The kinds of value a setting can have: how each is read, what is allowed, how it is shown.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use toml::Value;
use url::Url;

use super::secret::{MASK, Secret};
use super::source::Raw;

pub(super) const KIBIBYTE: u64 = 1024;
pub(super) const GIBIBYTE: u64 = 1024 * 1024 * KIBIBYTE;

/// Understands a value, or does not.
type Read<T> = Box<dyn Fn(&Raw) -> Option<T>>;
/// Writes a value down.
type Show<T> = Box<dyn Fn(&T) -> Value>;

/// One kind of value.
pub(super) struct Kind<T> {
    /// Completes the sentence "must be …".
    pub(super) allowed: String,
    pub(super) read: Read<T>,
    pub(super) show: Show<T>,
    /// Whether a rejected value may be repeated in the message about it.
    pub(super) secret: bool,
}

impl<T: 'static> Kind<T> {
    /// Text that `parse` understands.
    pub(super) fn parsed(
        allowed: impl Into<String>,
        parse: impl Fn(&str) -> Option<T> + 'static,
        show: impl Fn(&T) -> Value + 'static,
    ) -> Self {
        Self {
            allowed: allowed.into(),
            read: Box::new(move |raw| parse(raw.text()?.trim())),
            show: Box::new(show),
            secret: false,
        }
    }
}

/// A whole number within `range`.
pub(super) fn number<N>(range: RangeInclusive<N>) -> Kind<N>
where
    N: TryFrom<i64> + FromStr + PartialOrd + Display + Copy + 'static,
{
    let (least, most) = (*range.start(), *range.end());
    Kind {
        allowed: format!("a whole number from {least} to {most}"),
        read: Box::new(move |raw| {
            let number = match raw {
                Raw::Text(text) => text.trim().parse().ok()?,
                Raw::Toml(Value::Integer(integer)) => N::try_from(*integer).ok()?,
                Raw::Toml(_) => return None,
            };
            range.contains(&number).then_some(number)
        }),
        show: Box::new(|number| {
            let text = number.to_string();
            text.parse().map_or(Value::String(text), Value::Integer)
        }),
        secret: false,
    }
}

pub(super) fn seconds(range: RangeInclusive<u64>) -> Kind<u64> {
    let mut kind = number(range);
    kind.allowed.push_str(" (seconds)");
    kind
}

pub(super) fn bytes(range: RangeInclusive<u64>) -> Kind<u64> {
    let mut kind = number(range);
    kind.allowed.push_str(" (bytes)");
    kind
}

pub(super) fn web_address() -> Kind<Url> {
    Kind::parsed(
        "an address that begins with http:// or https://",
        |text| Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https")),
        |url: &Url| Value::String(url.to_string()),
    )
}

/// Any text but an empty one.
pub(super) fn text() -> Kind<String> {
    Kind::parsed(
        "a text that is not empty",
        |text| (!text.is_empty()).then(|| text.to_owned()),
        |text| Value::String(text.clone()),
    )
}

/// A file or folder, relative to where the process starts.
pub(super) fn path() -> Kind<PathBuf> {
    Kind::parsed(
        "a path",
        |text| (!text.is_empty()).then(|| PathBuf::from(text)),
        |path| Value::String(path.display().to_string()),
    )
}

/// An IP address with a port.
pub(super) fn address() -> Kind<SocketAddr> {
    Kind::parsed(
        "an IP address and a port, such as 127.0.0.1:8000 (port 0 takes a free one)",
        |text| text.parse().ok(),
        |address: &SocketAddr| Value::String(address.to_string()),
    )
}

/// One of a few words.
pub(super) fn one_of<T: Copy + PartialEq + 'static>(words: &'static [(&'static str, T)]) -> Kind<T> {
    let listed: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    Kind::parsed(
        format!("one of {}", listed.join(", ")),
        |text| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value),
        |value| {
            let word = words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word);
            Value::String(word.to_owned())
        },
    )
}

/// `true` or `false`.
pub(super) fn flag() -> Kind<bool> {
    Kind {
        allowed: "true or false".to_owned(),
        read: Box::new(|raw| match raw {
            Raw::Text(text) => text.trim().parse().ok(),
            Raw::Toml(value) => value.as_bool(),
        }),
        show: Box::new(|flag| Value::Boolean(*flag)),
        secret: false,
    }
}

/// A list of `item`s; in an environment variable, separated by commas.
pub(super) fn list<T: 'static>(item: Kind<T>) -> Kind<Vec<T>> {
    let (read, show) = (item.read, item.show);
    Kind {
        allowed: format!("a list whose every element is {}", item.allowed),
        read: Box::new(move |raw| match raw {
            Raw::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| read(&Raw::Text(part.to_owned())))
                .collect(),
            Raw::Toml(Value::Array(values)) => values.iter().map(|value| read(&Raw::Toml(value.clone()))).collect(),
            Raw::Toml(_) => None,
        }),
        show: Box::new(move |items| Value::Array(items.iter().map(&show).collect())),
        secret: item.secret,
    }
}

/// A password or key.
pub(super) fn secret(allowed: &str, accept: impl Fn(&str) -> bool + 'static) -> Kind<Secret> {
    let mut kind =
        Kind::parsed(allowed, move |text| accept(text).then(|| Secret::new(text)), |_| Value::String(MASK.to_owned()));
    kind.secret = true;
    kind
}

/// The address of a server, which may carry a password.
pub(super) fn server(schemes: &'static [&'static str], example: &str) -> Kind<Secret> {
    let mut kind = Kind::parsed(
        format!("an address such as {example}"),
        move |text| {
            let url = Url::parse(text).ok()?;
            schemes.contains(&url.scheme()).then(|| Secret::new(text))
        },
        |address| Value::String(without_password(address.reveal())),
    );
    kind.secret = true;
    kind
}

/// `address` as it may be shown: with its password replaced.
fn without_password(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if url.password().is_some() => {
            // Refused only for addresses without a host, which carry no password.
            let _ = url.set_password(Some("-"));
            let in_query = |(name, value): (String, String)| {
                let value = if name == "password" { "-".to_owned() } else { value };
                (name, value)
            };
            if url.query().is_some() {
                let pairs: Vec<_> = url.query_pairs().into_owned().map(in_query).collect();
                url.query_pairs_mut().clear().extend_pairs(pairs);
            }
            url.to_string()
        }
        _ => address.to_owned(),
    }
}
