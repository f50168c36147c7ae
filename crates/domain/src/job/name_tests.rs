//! The names of states, tasks and priorities are the same in JSON, on the command line and in messages.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde::Serialize;
use serde_json::json;

use super::{JobStatus, Priority, Task};

fn assert_names<T>(all: impl IntoIterator<Item = T>, name: impl Fn(T) -> &'static str, unknown: [&str; 3])
where
    T: Copy + Debug + Display + FromStr + PartialEq + Serialize,
{
    for value in all {
        assert_eq!(json!(value), json!(name(value)));
        assert_eq!(value.to_string(), name(value));
        assert_eq!(name(value).parse::<T>().ok(), Some(value));
    }
    for text in unknown {
        assert!(text.parse::<T>().is_err(), "{text:?}");
    }
}

#[test]
fn the_name_of_a_task_is_the_same_everywhere() {
    assert_names(Task::ALL, Task::as_str, ["", "TASK", "none"]);
}

#[test]
fn the_name_of_a_status_is_the_same_everywhere() {
    assert_names(JobStatus::ALL, JobStatus::as_str, ["", "JOBSTATUS", "none"]);
}

#[test]
fn the_name_of_a_priority_is_the_same_everywhere() {
    assert_names(Priority::ALL, Priority::as_str, ["", "PRIORITY", "none"]);
}
