//! The work that events ask for, and how far it has come. Every statement is parameterised by the step table
//! ([`ytcaption_domain::step`]), so a new step changes none of them.
//!
//! The events about a job share its data key: its own events, and those of other aggregates that record a step for it.

use serde_json::{Value, json};
use ytcaption_domain::JobId;
use ytcaption_domain::job::JobEvent;
use ytcaption_domain::step::Step;

use crate::{Database, RecordedEvent};

/// Identifies a unit of a step's work within the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkUnit {
    /// The job that the work is done for.
    pub job_id: JobId,
    /// The index of the part of the job, for a step whose unit is a part (see [`ytcaption_domain::step::Unit`]).
    pub part: Option<u32>,
}

/// An event whose work is pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEvent {
    /// Id of the job whose event it is.
    pub job_id: String,
    /// Its sequence within the job.
    pub sequence: i64,
    /// Whether workers are probably busy with all of its pending work, see [`pending_events`].
    pub is_in_flight: bool,
}

/// Why an attempt is obsolete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SupersededBy {
    /// The job has ended.
    JobEnd,
    /// A later attempt at the same unit has started.
    LaterAttempt,
}

/// Whether an event is one that some step waits for.
pub fn triggers_work(steps: &[Step], event: &RecordedEvent) -> bool {
    let mut triggers = steps.iter().flat_map(|step| step.triggers);
    triggers.any(|trigger| trigger.aggregate == event.aggregate_type && trigger.name == event.event_type)
}

/// Of the events of jobs that `job_ids` and `sequences` name, pair by pair, those whose work is pending: a step that
/// they trigger, and that the job needs, is not done, and the job has not ended (if the step ends with it).
///
/// Work is in flight if its latest attempt started less than 30 seconds ago and has not failed; that time doubles with
/// each attempt, so that slow work is not superseded again and again. For a step that records no start it is in flight for
/// 30 seconds after its trigger.
///
/// # Errors
/// The database does not answer.
pub async fn pending_events(
    database: &Database,
    steps: &[Step],
    job_ids: &[String],
    sequences: &[i64],
) -> Result<Vec<PendingEvent>, sqlx::Error> {
    sqlx::query_as!(
        PendingEvent,
        r#"
        SELECT e.aggregate_id AS "job_id!", e.sequence AS "sequence!",
               bool_and(CASE WHEN step.started IS NULL THEN e.recorded_at > now() - interval '30 seconds'
                        ELSE coalesce((
                            SELECT a.event_type = step.started
                               AND a.recorded_at > now() - interval '30 seconds'
                                                           * 2 ^ least((a.payload->>'attempt')::int - 1, 8)
                              FROM events_about(e.aggregate_id) a
                             WHERE a.aggregate_type = step.recorded_by
                               AND a.event_type IN (step.started, step.failed)
                               AND (step.part IS NULL OR a.payload->step.part = e.payload->step.part)
                             ORDER BY a.position DESC LIMIT 1), false)
                        END) AS "is_in_flight!"
          FROM unnest($1::text[], $2::bigint[]) AS requested(job_id, sequence)
          JOIN events e ON e.aggregate_type = 'job' AND e.aggregate_id = requested.job_id
           AND e.sequence = requested.sequence
          JOIN jsonb_to_recordset($3::jsonb) AS step(triggers text[], needs text, part text, recorded_by text,
                                                     started text, failed text, done text[], ends_with_job boolean)
            ON e.event_type = ANY(step.triggers)
         WHERE NOT EXISTS (
                   SELECT FROM events_about(e.aggregate_id) d
                    WHERE d.aggregate_type = step.recorded_by
                      AND d.event_type = ANY(step.done)
                      AND (step.part IS NULL OR d.payload->step.part = e.payload->step.part))
           AND NOT (step.ends_with_job AND EXISTS (
                   SELECT FROM events t
                    WHERE t.aggregate_type = 'job' AND t.aggregate_id = e.aggregate_id AND t.event_type = ANY($4)))
           AND (step.needs IS NULL OR EXISTS (
                   SELECT FROM events c
                    WHERE c.aggregate_type = 'job' AND c.aggregate_id = e.aggregate_id AND c.sequence = 1
                      AND c.payload->>step.needs IS NOT NULL))
         GROUP BY e.aggregate_id, e.sequence"#,
        job_ids,
        sequences,
        table(steps),
        &terminal_events(),
    )
    .fetch_all(database.pool())
    .await
}

/// What has made attempt number `attempt` at a unit obsolete; `None` while its result is wanted.
///
/// # Errors
/// The database does not answer.
pub async fn superseded_by(
    database: &Database,
    step: &Step,
    unit: WorkUnit,
    attempt: u32,
) -> Result<Option<SupersededBy>, sqlx::Error> {
    let ends = if step.ends_with_job { terminal_events() } else { Vec::new() };
    let job_has_ended = sqlx::query_scalar!(
        r#"
        SELECT e.aggregate_type = 'job' AND e.event_type = ANY($2) AS "job_has_ended!"
          FROM events_about($1) e
         WHERE (e.aggregate_type = 'job' AND e.event_type = ANY($2)
                OR e.aggregate_type = $3 AND e.event_type = $4 AND (e.payload->>'attempt')::bigint > $5
                   AND ($6::text IS NULL OR e.payload->>$6 = $7))
         ORDER BY 1 DESC LIMIT 1"#,
        unit.job_id.to_string(),
        &ends,
        step.recorded_by(),
        step.started.map(|event| event.name),
        i64::from(attempt),
        step.unit.member(),
        unit.part.map(|part| part.to_string()),
    )
    .fetch_optional(database.pool())
    .await?;
    Ok(job_has_ended.map(|ended| if ended { SupersededBy::JobEnd } else { SupersededBy::LaterAttempt }))
}

/// How many attempts at a unit have started and not been recorded as failed, the current one among them: the others were
/// lost with their workers, if the unit is not done.
///
/// # Errors
/// The database does not answer.
pub async fn unfinished_attempts(database: &Database, step: &Step, unit: WorkUnit) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) FILTER (WHERE e.event_type = $3) - count(*) FILTER (WHERE e.event_type = $4) AS "unfinished!"
          FROM events_about($1) e
         WHERE e.aggregate_type = $2 AND e.event_type IN ($3, $4)
           AND ($5::text IS NULL OR e.payload->>$5 = $6)"#,
        unit.job_id.to_string(),
        step.recorded_by(),
        step.started.map(|event| event.name),
        step.failed.name,
        step.unit.member(),
        unit.part.map(|part| part.to_string()),
    )
    .fetch_one(database.pool())
    .await
}

/// The steps as rows for `jsonb_to_recordset`.
fn table(steps: &[Step]) -> Value {
    let row = |step: &Step| {
        json!({
            "triggers": step.trigger_names(),
            "needs": step.needs,
            "part": step.unit.member(),
            "recorded_by": step.recorded_by(),
            "started": step.started.map(|event| event.name),
            "failed": step.failed.name,
            "done": step.done_names(),
            "ends_with_job": step.ends_with_job,
        })
    };
    steps.iter().map(row).collect()
}

fn terminal_events() -> Vec<String> {
    JobEvent::TERMINAL_EVENTS.iter().map(|event| event.name.to_owned()).collect()
}
