//! Trace context between processes: the W3C `traceparent` (<https://www.w3.org/TR/trace-context/>),
//! kept in HTTP headers, in event metadata and in NATS headers.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header's name, in HTTP and in NATS.
pub const TRACEPARENT: &str = "traceparent";

/// The `traceparent` of the span this code runs in, to be handed to the process that continues the work.
/// `None` outside any span or before [`crate::init`].
pub fn current_traceparent() -> Option<String> {
    current().as_ref().map(traceparent)
}

/// The `traceparent` of `span`; after this call its parent cannot be set any more.
pub fn traceparent_of(span: &Span) -> Option<String> {
    valid(span.context().span().span_context()).as_ref().map(traceparent)
}

/// The trace id of the span this code runs in: 32 hexadecimal digits.
pub fn current_trace_id() -> Option<String> {
    current().map(|context| context.trace_id().to_string())
}

/// Makes `span` a child of the span that `traceparent` names; returns whether it did.
///
/// Call it on a fresh span, before entering it or logging in it: a span that has started keeps its
/// parent. A malformed `traceparent` is ignored, as the recommendation demands (section 4.3), and
/// the span stays in the trace it is in.
pub fn set_parent(span: &Span, traceparent: &str) -> bool {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract_with_context(&opentelemetry::Context::new(), &carrier);
    parent.span().span_context().is_valid() && span.set_parent(parent).is_ok()
}

fn current() -> Option<SpanContext> {
    // Spans too detailed to be traced have no context of their own: fall back to the one around.
    valid(Span::current().context().span().span_context())
        .or_else(|| valid(opentelemetry::Context::current().span().span_context()))
}

fn valid(context: &SpanContext) -> Option<SpanContext> {
    context.is_valid().then(|| context.clone())
}

fn traceparent(context: &SpanContext) -> String {
    let flags = context.trace_flags().to_u8();
    format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::{debug_span, info_span};

    use super::{current_trace_id, current_traceparent, set_parent, traceparent_of};
    use crate::settings::LogSettings;

    const INCOMING: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn with_tracing(test: impl FnOnce()) {
        let provider = SdkTracerProvider::builder().build();
        let settings = LogSettings::default();
        let subscriber =
            crate::setup::subscriber(&settings, "test", &provider, std::io::sink).expect("the defaults are valid");
        tracing::subscriber::with_default(subscriber, test);
    }

    #[test]
    fn a_trace_goes_on_across_two_hops() {
        with_tracing(|| {
            let api = info_span!("api");
            assert!(set_parent(&api, INCOMING));
            let metadata = api.in_scope(current_traceparent).expect("inside a span");
            assert!(metadata.starts_with(&format!("00-{TRACE}-")) && metadata.ends_with("-01"));
            assert_ne!(metadata, INCOMING, "the child has a span id of its own");

            let worker = info_span!("worker");
            assert!(set_parent(&worker, &metadata));
            assert_eq!(worker.in_scope(current_trace_id).as_deref(), Some(TRACE));
            assert!(traceparent_of(&worker).is_some_and(|t| t.contains(TRACE) && t != metadata));
        });
    }

    #[test]
    fn an_unsampled_trace_stays_unsampled() {
        with_tracing(|| {
            let span = info_span!("api");
            assert!(set_parent(&span, &INCOMING.replace("-01", "-00")));
            let next = traceparent_of(&span).expect("a trace");
            assert!(next.contains(TRACE) && next.ends_with("-00"), "{next}");
        });
    }

    #[test]
    fn nonsense_is_ignored() {
        with_tracing(|| {
            for text in ["", "nonsense", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
                let span = info_span!("api");
                assert!(!set_parent(&span, text), "{text:?}");
                assert!(traceparent_of(&span).is_some_and(|t| !t.contains(TRACE)));
            }
        });
    }

    #[test]
    fn a_started_span_keeps_its_parent_and_a_detail_span_has_the_one_around() {
        with_tracing(|| {
            let span = info_span!("api");
            let before = traceparent_of(&span);
            assert!(!set_parent(&span, INCOMING));
            span.in_scope(|| {
                assert_eq!(debug_span!("detail").in_scope(current_traceparent), before);
            });
        });
    }

    #[test]
    fn there_is_none_outside() {
        assert_eq!(current_traceparent(), None);
        with_tracing(|| assert_eq!(current_traceparent(), None));
    }
}
