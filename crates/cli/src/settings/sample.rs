//! The commented sample file and the listing of effective settings, both written from what [`Reader`] has read.

use std::fmt::Write as _;

use super::reader::Reader;
use super::source::Layers;
use super::{Settings, TOP_LEVEL};

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
    Settings::from_reader(&mut reader);
    let mut text = HEADING.to_owned();
    for section in &reader.sections {
        if section.name != TOP_LEVEL {
            text.push('\n');
            comment(&mut text, &section.doc);
            line(&mut text, &format!("[{}]", section.name));
        }
        for field in &section.fields {
            text.push('\n');
            comment(&mut text, &field.doc);
            line(&mut text, &format!("#{} = {}", field.name, field.sample()));
        }
    }
    text
}

/// Every setting in effect with its origin; settings without a value are left as comments.
pub(super) fn describe(reader: &Reader<'_>) -> String {
    let mut text = String::new();
    for section in &reader.sections {
        if section.name != TOP_LEVEL {
            line(&mut text, &format!("\n[{}]", section.name));
        }
        for field in &section.fields {
            match section.effective(field) {
                Some(value) => {
                    line(&mut text, &format!("{} = {value}  # {}", field.name, reader.origin(&section.key(field))));
                }
                None => line(&mut text, &format!("#{} is not set", field.name)),
            }
        }
    }
    text
}

fn comment(text: &mut String, doc: &str) {
    for doc in doc.lines() {
        line(text, &format!("# {doc}"));
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
