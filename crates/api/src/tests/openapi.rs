use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

use axum::body::Body;
use axum::http::Method;
use serde_json::Value;
use ytcaption_domain::captions::{CueStyle, Format};

use super::{Api, COLLECTION, request};

fn described() -> Value {
    serde_json::from_str(&crate::openapi_json()).expect("JSON")
}

#[test]
fn the_committed_description_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, crate::openapi_json()).expect("the document can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == crate::openapi_json(),
        "docs/openapi.json is out of date; update it with `UPDATE_EXPECT=1 cargo test -p ytcaption-api openapi`"
    );
}

#[tokio::test]
async fn every_described_operation_is_there_and_every_promise_is_documented() {
    let api = Api::new().await;
    let description = described();
    let paths = description["paths"].as_object().expect("paths");
    assert!(paths.len() >= 7, "{paths:?}");
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("operations") {
            let about = format!("{method} {path}");
            assert!(operation["summary"].is_string() && operation["tags"].is_array(), "{about}");
            for (status, response) in operation["responses"].as_object().expect("responses") {
                assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{about} {status}");
                if status.starts_with('4') {
                    let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/Problem", "{about} {status}");
                }
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let path = path.replace("{id}", "0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f");
            let status = api.send(request(method, &path, &[], Body::empty())).await.status.as_u16();
            assert!(operation["responses"][status.to_string()].is_object(), "{about} answers {status}, undescribed");
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let text = crate::openapi_json();
    let description = described();
    for reference in text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(description.pointer(reference).is_some(), "{reference}");
    }
    let api = Api::new().await;
    assert_eq!(api.get("/openapi.json").await.json(), description);
}

#[tokio::test]
async fn answers_have_the_members_that_are_described() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, Some("A talk")).await;
    let description = described();
    let path = format!("{COLLECTION}/{job}");
    for (schema, answer) in [
        ("Transcription", api.get(&path).await.json()),
        ("TranscriptionPage", api.get(&format!("{COLLECTION}?limit=1")).await.json()),
        ("Transcript", api.get(&format!("{path}/result?format=json")).await.json()),
        ("Segment", api.get(&format!("{path}/result?format=json")).await.json()["segments"][0].clone()),
        ("Readiness", api.get("/health/ready").await.json()),
    ] {
        let described = &description["components"]["schemas"][schema];
        let names: BTreeSet<&str> =
            described["properties"].as_object().expect(schema).keys().map(String::as_str).collect();
        let given: BTreeSet<&str> = answer.as_object().expect(schema).keys().map(String::as_str).collect();
        assert!(given.is_subset(&names), "{schema}: {given:?} beyond {names:?}");
        let required = described["required"].as_array().expect(schema).iter().filter_map(Value::as_str);
        for name in required {
            assert!(given.contains(name), "{schema} lacks {name}");
        }
    }
}

#[test]
fn every_caption_format_is_described() {
    let description = described();
    let operation = &description["paths"]["/api/v1/transcriptions/{id}/result"]["get"];
    let content = operation["responses"]["200"]["content"].as_object().expect("media types");
    let described: BTreeSet<&str> = content.keys().map(String::as_str).collect();
    assert_eq!(described, Format::ALL.iter().map(|format| format.media_type()).collect());
    let names = description["components"]["schemas"]["CaptionFormat"]["enum"].as_array().expect("names");
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    assert_eq!(names, Format::ALL.iter().map(|format| format.name()).collect::<Vec<_>>());
    let accept = operation["parameters"].as_array().expect("a list").iter().find(|given| given["name"] == "Accept");
    assert!(accept.is_some_and(|accept| accept["description"].to_string().contains(&Format::media_types())));
}

#[test]
fn the_bounds_and_defaults_of_the_cue_style_are_those_of_captions() {
    let description = described();
    let parameters = &description["paths"]["/api/v1/transcriptions/{id}/result"]["get"]["parameters"];
    let described = |name: &str| {
        let named = parameters.as_array().expect("parameters").iter().find(|parameter| parameter["name"] == name);
        let schema = &named.unwrap_or_else(|| panic!("{name} is not described"))["schema"];
        ["minimum", "maximum", "default"].map(|member| schema[member].as_u64())
    };
    let default = CueStyle::default();
    let is = |range: RangeInclusive<u16>, default: Option<u16>| {
        [Some(range.start().to_owned()), Some(range.end().to_owned()), default].map(|number| number.map(u64::from))
    };
    let is_ms =
        |range: RangeInclusive<u32>, default: u32| [*range.start(), *range.end(), default].map(|ms| Some(ms.into()));
    assert_eq!(described("max_line_width"), is(CueStyle::LINE_WIDTHS, Some(default.max_line_width)));
    assert_eq!(described("max_line_count"), is(CueStyle::LINE_COUNTS, Some(default.max_line_count)));
    assert_eq!(described("max_words_per_line"), is(CueStyle::WORDS_PER_LINE, default.max_words_per_line));
    assert_eq!(described("min_cue_duration_ms"), is_ms(CueStyle::MIN_DURATIONS_MS, default.min_cue_duration_ms));
    assert_eq!(described("max_cue_duration_ms"), is_ms(CueStyle::MAX_DURATIONS_MS, default.max_cue_duration_ms));
    assert_eq!(described("max_chars_per_second"), is(CueStyle::CHARS_PER_SECOND, Some(default.max_chars_per_second)));
}

/// The schema of a parameter.
fn parameter(path: &str, method: &str, name: &str) -> Value {
    let description = described();
    let parameters = description["paths"][path][method]["parameters"].as_array().expect("parameters");
    let found = parameters.iter().find(|parameter| parameter["name"] == name);
    found.unwrap_or_else(|| panic!("{path} has no {name}"))["schema"].clone()
}

#[tokio::test]
async fn a_value_is_taken_if_and_only_if_its_schema_permits_it() {
    let api = Api::new().await;
    let job = api.submitted().await;
    let (one, parked) = (format!("{COLLECTION}/{{id}}"), "/api/v1/audit/parked");
    let nil = "0000018f-0000-7000-8000-000000000000".replace('-', "");
    let cases = [
        (COLLECTION, "cursor", vec![format!("5e0f1a2b3c-{nil}"), "0-0".into()], vec!["x", "1", "ffffffffffffffff-0"]),
        (
            "/api/v1/audit/events",
            "cursor",
            vec!["742-1205".to_owned()],
            vec!["", "742", "a-b", "1-99999999999999999999"],
        ),
        ("/api/v1/audit/events", "actor", vec!["worker:".to_owned(), "ähm".into()], vec!["a\0", "\u{2028}", "\u{1b}"]),
        (parked, "cursor", vec!["blocked-742-1205-jobs".to_owned()], vec!["742-1205", "late-1-1-jobs"]),
        (one.as_str(), "at", vec!["1".to_owned(), "2030-01-31T14:05:00Z".into()], vec!["0", "-1", "soon"]),
    ];
    for (path, name, right, wrong) in cases {
        let schema = parameter(path, "get", name);
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
        let is_described = |text: &str| {
            let number = text.parse::<i64>().ok().map(Value::from);
            validator.is_valid(&Value::from(text)) || number.is_some_and(|number| validator.is_valid(&number))
        };
        let url = path.replace("{id}", &job.to_string());
        let status = async |text: &str| {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, text).finish();
            api.get(&format!("{url}?{query}")).await.status.as_u16()
        };
        for text in right {
            assert!(is_described(&text), "{path} {name} {text:?}: {schema}");
            assert_eq!(status(&text).await, 200, "{path} {name} {text:?}");
        }
        for text in wrong {
            assert!(!is_described(text), "{path} {name} {text:?}: {schema}");
            assert_eq!(status(text).await, 400, "{path} {name} {text:?}");
        }
    }
}

#[tokio::test]
async fn a_header_a_body_and_a_stream_are_described_as_they_are() {
    let api = Api::new().await;
    let job = api.submitted().await;
    api.complete(job, Some("A talk")).await;
    let description = described();
    for (path, operations) in description["paths"].as_object().expect("paths") {
        for parameter in operations
            .as_object()
            .expect("operations")
            .values()
            .flat_map(|operation| operation["parameters"].as_array().cloned().unwrap_or_default())
        {
            assert!(!parameter["schema"].to_string().contains("\"null\""), "{path}: {parameter}");
        }
    }
    let key = jsonschema::validator_for(&parameter(COLLECTION, "post", "Idempotency-Key")).expect("a schema");
    for (text, is_valid) in [("0b51-a", true), ("~", true), ("a b", false), ("", false), (&"k".repeat(256), false)] {
        assert_eq!(key.is_valid(&Value::from(text)), is_valid, "{text}");
        assert_eq!(text.parse::<ytcaption_application::IdempotencyKey>().is_ok(), is_valid, "{text}");
    }
    let cancel = &description["paths"]["/api/v1/transcriptions/{id}/cancel"]["post"]["requestBody"];
    assert_eq!(cancel["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/CancelRequest");
    assert_ne!(cancel["required"], true);

    let stream = format!("{COLLECTION}/{job}/stream");
    let (path, events) = ("/api/v1/transcriptions/{id}/stream", api.get(&stream).await);
    let described = &description["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"];
    let validator = jsonschema::validator_for(&described["schema"]).expect("a schema");
    assert!(validator.is_valid(&Value::from(events.text())), "{}", events.text());
    assert!(validator.is_valid(&described["example"]) && !validator.is_valid(&Value::from("<html>\n")));
    let resume = parameter(path, "get", "Last-Event-ID");
    let last = events.text().lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("an id");
    let validator = jsonschema::validator_for(&resume).expect("a schema");
    for (text, status) in [(last, 204), ("1.0", 200), ("x", 400), ("1", 400)] {
        assert_eq!(validator.is_valid(&Value::from(text)), status != 400, "{text}");
        assert_eq!(api.get_with(&stream, &[("last-event-id", text)]).await.status.as_u16(), status, "{text}");
    }
}

#[tokio::test]
async fn the_codes_of_jobs_and_the_webhook_are_described() {
    let (description, api) = (described(), Api::new().await);
    let page = api.get("/problems").await;
    for known in ytcaption_domain::job::FAILURE_CODES {
        for schema in ["JobFailure", "StreamFailure", "Failure"] {
            let code = &description["components"]["schemas"][schema]["properties"]["code"]["description"];
            assert!(
                code.as_str().is_some_and(|text| text.contains(&format!("| `{}` |", known.code))),
                "{schema}: {code}"
            );
        }
        assert!(page.text().contains(&format!("id=\"{}\"", known.code)), "{}", known.code);
    }
    let body = &description["webhooks"]["jobEnded"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/Notification");
}
