//! How events are printed: a line each.

use chrono::SecondsFormat;
use clap::ValueEnum;
use ytcaption_eventstore::RecordedEvent;

/// Letters of a payload that a line of text shows.
const PAYLOAD_LETTERS: usize = 160;

/// The columns of CSV.
const COLUMNS: [&str; 13] = [
    "recorded_at",
    "aggregate_type",
    "aggregate_id",
    "sequence",
    "event_type",
    "event_version",
    "actor",
    "account",
    "event_id",
    "correlation_id",
    "causation_id",
    "traceparent",
    "payload",
];

/// A way to print events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EventFormat {
    /// For people; long payloads are cut
    Text,
    /// Comma-separated with a heading (RFC 4180)
    Csv,
    /// A JSON object a line
    Jsonl,
}

impl EventFormat {
    /// The heading before the first event.
    pub(super) fn heading(self) -> Option<String> {
        (self == Self::Csv).then(|| COLUMNS.join(","))
    }

    /// One event as one line.
    ///
    /// # Errors
    /// None that a stored event could cause.
    pub(super) fn line(self, event: &RecordedEvent) -> serde_json::Result<String> {
        match self {
            Self::Text => Ok(text(event)),
            Self::Csv => Ok(csv(event)),
            Self::Jsonl => serde_json::to_string(event),
        }
    }
}

fn text(event: &RecordedEvent) -> String {
    let payload = event.payload.to_string();
    let payload = match payload.char_indices().nth(PAYLOAD_LETTERS) {
        Some((end, _)) => format!("{}…", &payload[..end]),
        None => payload,
    };
    format!(
        "{}  {} {} #{}  {}  {}  {payload}{}",
        recorded_at(event),
        event.aggregate_type,
        event.aggregate_id,
        event.sequence,
        event.event_type,
        event.metadata.context.actor,
        note(event),
    )
}

/// What a reader must know of the payload.
fn note(event: &RecordedEvent) -> String {
    match &event.corrupt {
        Some(corrupt) => format!("  [{corrupt}]"),
        None if event.erased => "  [erased]".to_owned(),
        None => String::new(),
    }
}

fn csv(event: &RecordedEvent) -> String {
    let context = &event.metadata.context;
    let fields: [String; COLUMNS.len()] = [
        recorded_at(event),
        event.aggregate_type.clone(),
        event.aggregate_id.clone(),
        event.sequence.to_string(),
        event.event_type.clone(),
        event.event_version.clone(),
        context.actor.to_string(),
        context.account.to_string(),
        event.metadata.event_id.to_string(),
        context.correlation_id.to_string(),
        context.causation_id.map(|id| id.to_string()).unwrap_or_default(),
        context.traceparent.clone().unwrap_or_default(),
        event.payload.to_string(),
    ];
    fields.map(|field| quoted(&field)).join(",")
}

fn recorded_at(event: &RecordedEvent) -> String {
    event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;
    use ytcaption_domain::{AccountId, Actor, CommandContext, EventMetadata};
    use ytcaption_eventstore::Cursor;

    use super::*;

    fn event() -> RecordedEvent {
        let recorded_at = "2026-01-31T14:05:00Z".parse().expect("a time");
        RecordedEvent {
            cursor: Cursor { transaction_id: 7, position: 8 },
            aggregate_type: "job".into(),
            aggregate_id: "a".into(),
            sequence: 3,
            event_type: "JobCancelled".into(),
            event_version: "1".into(),
            payload: json!({ "reason": "wrong, \"really\"\n" }),
            metadata: EventMetadata {
                data_key: None,
                event_id: Uuid::from_u128(1),
                occurred_at: recorded_at,
                route: "normal".into(),
                context: CommandContext {
                    account: AccountId::local(),
                    actor: Actor::Client("ana, of the office".into()),
                    correlation_id: Uuid::from_u128(2),
                    causation_id: None,
                    traceparent: None,
                },
            },
            recorded_at,
            erased: false,
            corrupt: None,
        }
    }

    #[test]
    fn csv_has_a_field_for_every_column_and_keeps_commas_quotes_and_lines_apart() {
        let line = EventFormat::Csv.line(&event()).expect("plain data");
        assert_eq!(
            line,
            "2026-01-31T14:05:00.000000Z,job,a,3,JobCancelled,1,\"client:ana, of the office\",local,\
             00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002,,,\
             \"{\"\"reason\"\":\"\"wrong, \\\"\"really\\\"\"\\n\"\"}\""
        );
        assert_eq!(EventFormat::Csv.heading().map(|heading| heading.split(',').count()), Some(COLUMNS.len()));
    }

    #[test]
    fn json_holds_everything_on_one_line() {
        let line = EventFormat::Jsonl.line(&event()).expect("plain data");
        assert!(!line.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&read["cursor"], &read["sequence"]), (&json!("7-8"), &json!(3)));
        assert_eq!(read["metadata"]["actor"], json!("client:ana, of the office"));
        assert_eq!(read["payload"], event().payload);
    }

    #[test]
    fn a_long_payload_is_cut_in_text() {
        let long = RecordedEvent { payload: json!({ "text": "ö".repeat(500) }), ..event() };
        let line = EventFormat::Text.line(&long).expect("plain data");
        assert!(line.ends_with('…') && line.chars().count() < 300, "{line}");
        assert!(EventFormat::Text.line(&event()).expect("plain data").contains("job a #3  JobCancelled"));
    }
}
