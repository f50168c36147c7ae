use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

/// A walk on a grid that has changed its mind twice: once both axes were one event, and names were short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Step {
    WentEast { metres: i64 },
    WentNorth { metres: i64 },
}

impl DomainEvent for Step {
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

impl Versioned for Step {
    const CURRENT: &'static [(&'static str, u32)] = &[("WentEast", 2), ("WentNorth", 2), ("Went", 9)];
    const UPCASTERS: &'static [Upcaster] = &[
        Upcaster { name: "Went", version: 1, read: both_axes },
        Upcaster { name: "WentEast", version: 1, read: |payload| in_metres("WentEast", payload) },
        Upcaster { name: "WentNorth", version: 1, read: |payload| in_metres("WentNorth", payload) },
        Upcaster { name: "Went", version: 2, read: |_| Ok(vec![]) },
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
    let km = payload.remove("km").and_then(|km| km.as_i64()).ok_or("its `km` is no whole number")?;
    payload.insert("metres".to_owned(), (km * 1000).into());
    Ok(vec![Upcast { name, version: 2, payload }])
}

fn steps(name: &str, version: &str, payload: &Value) -> Result<Vec<Step>, String> {
    read(name, version, payload).map_err(|fault| fault.to_string())
}

#[test]
fn one_event_becomes_several_in_order_and_each_is_read_on() {
    let went = json!({ "type": "Went", "x": 2, "y": -1 });
    let expected = vec![Step::WentEast { metres: 2000 }, Step::WentNorth { metres: -1000 }];
    assert_eq!(steps("Went", "1", &went), Ok(expected.clone()));
    let payloads: Vec<Value> = expected.iter().map(|step| json!(step)).collect();
    assert_eq!(upcast::<Step>("Went", "1", went).expect("the same way"), payloads);
}

#[test]
fn an_event_of_today_is_taken_as_it_is() {
    let east = json!({ "type": "WentEast", "metres": 7 });
    assert_eq!(steps("WentEast", "2", &east), Ok(vec![Step::WentEast { metres: 7 }]));
    assert_eq!(upcast::<Step>("WentEast", "2", east.clone()).expect("as it is"), [east]);
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let east = json!({ "type": "WentEast", "metres": 7 });
    for (name, version, payload, said) in [
        ("Flew", "1", json!({}), "knows no event of this type; a newer version"),
        ("WentEast", "3", east.clone(), "up to version 2; a newer version"),
        ("WentEast", "0", east.clone(), "versions of this event are 1 to 2"),
        ("WentEast", "two", east.clone(), "versions of this event are 1 to 2"),
        ("WentEast", "2", json!({ "type": "WentEast" }), "docs/events/WentEast.v2.json (missing field `metres`)"),
        ("WentNorth", "2", east, "it does not call itself WentNorth"),
        ("Went", "1", json!({ "x": 1 }), "version 1 of Went cannot be read as a newer one: it has no `y`"),
        ("Went", "1", json!({ "x": 1, "y": "b" }), "version 1 of WentNorth cannot be read as a newer one: its `km`"),
        ("Went", "1", json!([]), "no JSON object"),
        ("Went", "2", json!({}), "nothing is left of it"),
        ("Went", "3", json!({}), "no upcaster"),
    ] {
        let refusal = steps(name, version, &payload).expect_err(said);
        assert!(refusal.contains(said), "{name} v{version}: {refusal}");
    }
}

#[test]
fn only_what_a_newer_program_may_have_written_is_from_the_future() {
    let future = |name, version| read::<Step>(name, version, &json!({})).expect_err("unreadable").is_from_the_future();
    assert!(future("Flew", "1") && future("WentEast", "3"));
    assert!(!future("WentEast", "0") && !future("WentEast", "2") && !future("Went", "1"));
}
