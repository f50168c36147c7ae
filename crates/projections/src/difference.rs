//! What differs between two JSON documents.

use serde::Serialize;
use serde_json::Value;

/// One member in which two documents differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// JSON pointer (RFC 6901) to the member.
    pub path: String,
    /// Its value before; null if it was absent.
    pub before: Value,
    /// Its value after; null if it is absent.
    pub after: Value,
}

/// The members in which `after` differs from `before`, in the order of the documents; as deep as both are objects or
/// both are arrays.
pub fn difference(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = vec![];
    compare(String::new(), before, after, &mut changes);
    changes
}

fn compare(path: String, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                let member = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                compare(member, old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null), changes);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let member = format!("{path}/{index}");
                compare(
                    member,
                    old.get(index).unwrap_or(&Value::Null),
                    new.get(index).unwrap_or(&Value::Null),
                    changes,
                );
            }
        }
        _ if before == after => {}
        _ => changes.push(Change { path, before: before.clone(), after: after.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_changed_added_and_removed_is_named_by_its_path() {
        let before = json!({ "a": 1, "same": [1, { "x": null }], "list": [1, 2], "gone": { "b": true }, "a/b": 0 });
        let after = json!({ "a": 2, "same": [1, { "x": null }], "list": [1, 3, 4], "a/b": 1, "new": "n" });
        let mut changes = difference(&before, &after);
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        let found: Vec<_> = changes.iter().map(|c| (c.path.as_str(), c.before.clone(), c.after.clone())).collect();
        assert_eq!(
            found,
            [
                ("/a", json!(1), json!(2)),
                ("/a~1b", json!(0), json!(1)),
                ("/gone", json!({ "b": true }), Value::Null),
                ("/list/1", json!(2), json!(3)),
                ("/list/2", Value::Null, json!(4)),
                ("/new", Value::Null, json!("n")),
            ]
        );
        assert_eq!(difference(&after, &after), []);
    }
}
