use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

/// Sample events whose shape has changed twice: first one event had both axes, then the unit changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Step {
    WentEast { metres: i64 },
    WentNorth { metres: i64 },
}

impl crate::event::DomainEvent for Step {
    fn event_type(&self) -> String {
        match self {
            Self::WentEast { .. } => "WentEast".into(),
            Self::WentNorth { .. } => "WentNorth".into(),
        }
    }

    fn event_version(&self) -> String {
        "2".into()
    }
}

const fn event_type(name: &'static str, version: u32) -> EventType {
    EventType { aggregate: "walk", name, version, personal: &[] }
}

impl EventFamily for Step {
    const TYPES: &'static [EventType] = &[event_type("WentEast", 2), event_type("WentNorth", 2), event_type("Went", 9)];
    const UPCASTERS: &'static [Upcaster] = &[
        Upcaster { name: "Went", version: 1, upcast: both_axes },
        Upcaster { name: "WentEast", version: 1, upcast: |payload| in_metres("WentEast", payload) },
        Upcaster { name: "WentNorth", version: 1, upcast: |payload| in_metres("WentNorth", payload) },
        Upcaster { name: "Went", version: 2, upcast: |_| Ok(vec![]) },
    ];
}

fn both_axes(mut payload: Map<String, Value>) -> Result<Vec<Upcast>, String> {
    let mut part = |axis: &str, name| {
        let km = payload.remove(axis).ok_or_else(|| format!("it has no `{axis}`"))?;
        let payload = Map::from_iter([("km".to_owned(), km)]);
        Ok::<_, String>(Upcast { name, version: 1, payload })
    };
    Ok(vec![part("x", "WentEast")?, part("y", "WentNorth")?])
}

fn in_metres(name: &'static str, mut payload: Map<String, Value>) -> Result<Vec<Upcast>, String> {
    let km = payload.remove("km").and_then(|km| km.as_i64()).ok_or("its `km` is not a whole number")?;
    payload.insert("metres".to_owned(), (km * 1000).into());
    Ok(vec![Upcast { name, version: 2, payload }])
}

fn steps(name: &str, version: &str, payload: &Value) -> Result<Vec<Step>, String> {
    decode(name, version, payload).map_err(|error| error.to_string())
}

#[test]
fn one_event_becomes_several_in_order_and_each_is_upcast_further() {
    let went = json!({ "type": "Went", "x": 2, "y": -1 });
    let expected = vec![Step::WentEast { metres: 2000 }, Step::WentNorth { metres: -1000 }];
    assert_eq!(steps("Went", "1", &went), Ok(expected.clone()));
    let payloads: Vec<Value> = expected.iter().map(|step| json!(step)).collect();
    assert_eq!(upcast_to_current::<Step>("Went", "1", went).expect("the same way"), payloads);
}

#[test]
fn an_event_of_the_current_version_is_decoded_directly() {
    let east = json!({ "type": "WentEast", "metres": 7 });
    assert_eq!(steps("WentEast", "2", &east), Ok(vec![Step::WentEast { metres: 7 }]));
    assert_eq!(upcast_to_current::<Step>("WentEast", "2", east.clone()).expect("as it is"), [east]);
}

#[test]
fn each_decoding_error_has_its_own_message() {
    let east = json!({ "type": "WentEast", "metres": 7 });
    for (name, version, payload, said) in [
        ("Flew", "1", json!({}), "knows no event of this type; a newer version"),
        ("WentEast", "3", east.clone(), "up to version 2; a newer version"),
        ("WentEast", "0", east.clone(), "versions of this event are 1 to 2"),
        ("WentEast", "two", east.clone(), "versions of this event are 1 to 2"),
        ("WentEast", "2", json!({ "type": "WentEast" }), "docs/events/WentEast.v2.json (missing field `metres`)"),
        ("WentNorth", "2", east, "its `type` is not WentNorth"),
        ("Went", "1", json!({ "x": 1 }), "version 1 of Went cannot be read as a newer one: it has no `y`"),
        ("Went", "1", json!({ "x": 1, "y": "b" }), "version 1 of WentNorth cannot be read as a newer one: its `km`"),
        ("Went", "1", json!([]), "not a JSON object"),
        ("Went", "2", json!({}), "an upcaster returned no event"),
        ("Went", "3", json!({}), "no upcaster"),
    ] {
        let refusal = steps(name, version, &payload).expect_err(said);
        assert!(refusal.contains(said), "{name} v{version}: {refusal}");
    }
}

#[test]
fn only_what_a_newer_program_may_have_written_is_newer() {
    let is_newer = |name, version| decode::<Step>(name, version, &json!({})).expect_err("unreadable").is_newer();
    assert!(is_newer("Flew", "1") && is_newer("WentEast", "3"));
    assert!(!is_newer("WentEast", "0") && !is_newer("WentEast", "2") && !is_newer("Went", "1"));
}
