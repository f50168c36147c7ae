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
