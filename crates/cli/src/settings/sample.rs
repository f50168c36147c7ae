//! The commented sample file and the listing of effective settings, both written from what
//! [`super::tree`] reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::reader::{Entry, Reader};
use super::source::Layers;
use super::tree;

const HEADING: &str = "\
# YTCaption: every setting with its meaning and default. Written by `ytcaption settings sample`.
#
# Read from --config FILE, else the file YTCAPTION_CONFIG names, else ./ytcaption.toml, else
# /etc/ytcaption/ytcaption.toml. An environment variable overrides the file: `listen` in section [api] is
# YTCAPTION_API__LISTEN; lists are separated by commas. `ytcaption settings show` prints what is in effect.
";

/// A settings file with every setting commented out.
pub(crate) fn sample() -> String {
    let layers = Layers::default();
    let mut reader = Reader::new(&layers);
    tree::read(&mut reader, &BTreeMap::new());
    let mut text = HEADING.to_owned();
    let mut section = "";
    for entry in &reader.entries {
        let (of, name) = split(entry.key);
        if of != section {
            section = of;
            let doc = reader.sections.iter().find(|section| section.name == of).map_or("", |section| section.doc);
            line(&mut text, &format!("\n# {doc}\n[{of}]"));
        }
        text.push('\n');
        for doc in entry.doc.lines() {
            line(&mut text, &format!("# {doc}"));
        }
        line(&mut text, &format!("#{name} = {}", entry.sample));
    }
    text
}

/// Every setting in effect with its origin; settings without a value are left as comments.
pub(super) fn describe(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut section = "";
    for entry in entries {
        let (of, name) = split(entry.key);
        if of != section {
            section = of;
            line(&mut text, &format!("\n[{of}]"));
        }
        match &entry.effective {
            Some(value) => line(&mut text, &format!("{name} = {value}  # {}", entry.origin)),
            None => line(&mut text, &format!("#{name} is not set")),
        }
    }
    text
}

fn split(key: &'static str) -> (&'static str, &'static str) {
    key.split_once('.').unwrap_or(("", key))
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
