//! Logs as JSON, one object a line.
//!
//! ```json
//! {"timestamp":"2026-11-22T09:30:00.123456Z","level":"INFO","role":"worker-download",
//!  "message":"downloaded","trace_id":"0af7…","span_id":"b7ad…","job_id":"0197…",
//!  "target":"ytcaption_workers::download","span":"step","fields":{"bytes":12345,"attempt":1}}
//! ```
//!
//! `fields` holds the event's fields and those of all spans around it, the inner winning. `job_id`
//! and the ids of the trace are at the top level, where a log search finds them.

use std::fmt;
use std::io::Write as _;
use std::sync::OnceLock;

use chrono::{SecondsFormat, Utc};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::dispatcher::WeakDispatch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The field whose value every line below a span repeats at its top level.
const JOB_ID: &str = "job_id";
/// Where `tracing` puts an event's text.
const MESSAGE: &str = "message";
/// Records of the older `log` facade carry their real target in this field, beside others that
/// start with [`LOG_PREFIX`].
const LOG_TARGET: &str = "log.target";
const LOG_PREFIX: &str = "log.";

/// A layer that writes every event it is shown as one line of JSON.
pub(crate) struct JsonLines<W> {
    role: String,
    writer: W,
    /// Who dispatches to us: the way to the OpenTelemetry layer's data about a span.
    dispatch: OnceLock<WeakDispatch>,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    role: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<Value>,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    fields: Map<String, Value>,
}

/// The fields of a span or an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl<W> JsonLines<W> {
    pub(crate) fn new(role: &str, writer: W) -> Self {
        Self { role: role.to_owned(), writer, dispatch: OnceLock::new() }
    }

    fn trace_of(&self, span: &Id) -> Option<SpanContext> {
        let dispatch = self.dispatch.get()?.upgrade()?;
        let context = tracing_opentelemetry::get_otel_context(span, &dispatch)?;
        let context = context.span().span_context().clone();
        context.is_valid().then_some(context)
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        // A second registration would be of the same subscriber.
        drop(self.dispatch.set(dispatch.downgrade()));
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let Fields(mut fields) = own;
        let mut trace = None;
        // From the inside out, so a field of an inner span is there before an outer one's.
        for span in context.event_scope(event).into_iter().flatten() {
            trace = trace.or_else(|| self.trace_of(&span.id()));
            if let Some(Fields(of_span)) = span.extensions().get::<Fields>() {
                for (name, value) in of_span {
                    if !fields.contains_key(name) {
                        fields.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        let message = match fields.remove(MESSAGE) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let log_target = fields.remove(LOG_TARGET);
        fields.retain(|name, _| !name.starts_with(LOG_PREFIX));
        let metadata = event.metadata();
        #[expect(clippy::disallowed_methods, reason = "a log line bears the time at which it was written")]
        let line = Line {
            timestamp: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            level: metadata.level().as_str(),
            role: &self.role,
            message,
            trace_id: trace.as_ref().map(|t| t.trace_id().to_string()),
            span_id: trace.as_ref().map(|t| t.span_id().to_string()),
            job_id: fields.remove(JOB_ID),
            target: log_target.as_ref().and_then(Value::as_str).unwrap_or(metadata.target()),
            span: context.event_span(event).map(|span| span.name()),
            fields,
        };
        // A line that cannot be written has nowhere else to go.
        if let Ok(mut text) = serde_json::to_vec(&line) {
            text.push(b'\n');
            drop(self.writer.make_writer_for(metadata).write_all(&text));
        }
    }
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
