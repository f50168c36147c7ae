//! How far the events of each aggregate are applied in a generation of a projection: what makes them come in order,
//! without a gap and once, however often the feed brings them.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use ytcaption_eventstore::RecordedEvent;

use crate::ProjectionError;

/// Type and id of an aggregate.
type Key<'e> = (&'e str, &'e str);

/// The aggregates of some events.
#[derive(Debug)]
pub(crate) struct Streams<'e> {
    /// Sequence of the last event applied of each that has one.
    applied: HashMap<Key<'e>, u64>,
    changed: HashMap<Key<'e>, u64>,
}

impl<'e> Streams<'e> {
    /// Reads how far the aggregates of these events are.
    pub(crate) async fn load(
        connection: &mut PgConnection,
        projection: &str,
        generation: i32,
        events: &'e [RecordedEvent],
    ) -> Result<Self, sqlx::Error> {
        let keys: Vec<Key<'e>> = events.iter().map(key).collect::<HashSet<_>>().into_iter().collect();
        let (types, ids): (Vec<&str>, Vec<&str>) = keys.iter().copied().unzip();
        let stored = sqlx::query!(
            r#"SELECT e.number AS "number!", s.sequence
               FROM UNNEST($3::text[], $4::text[]) WITH ORDINALITY AS e(type, id, number)
               JOIN projected_streams s ON s.projection = $1 AND s.generation = $2
                                       AND s.aggregate_type = e.type AND s.aggregate_id = e.id"#,
            projection,
            generation,
            types as Vec<&str>,
            ids as Vec<&str>,
        );
        let stored = stored.fetch_all(connection).await?;
        let applied = stored.into_iter().filter_map(|stored| {
            // Ordinality counts from 1.
            let key = keys.get(usize::try_from(stored.number).ok()?.checked_sub(1)?)?;
            Some((*key, u64::try_from(stored.sequence).ok()?))
        });
        Ok(Self { applied: applied.collect(), changed: HashMap::new() })
    }

    /// Whether the event is applied already.
    pub(crate) fn has_applied(&self, event: &RecordedEvent) -> bool {
        event.sequence <= self.reached(event)
    }

    /// Makes sure that the event is the next of its aggregate.
    ///
    /// # Errors
    /// An earlier one is not applied.
    pub(crate) fn require_next(&self, event: &RecordedEvent) -> Result<(), ProjectionError> {
        let expected = self.reached(event).saturating_add(1);
        match event.sequence.cmp(&expected) {
            Ordering::Equal => Ok(()),
            Ordering::Less | Ordering::Greater => {
                Err(ProjectionError::Blocked { aggregate_type: event.aggregate_type.clone(), expected })
            }
        }
    }

    /// The event is applied.
    pub(crate) fn advance(&mut self, event: &'e RecordedEvent) {
        self.applied.insert(key(event), event.sequence);
        self.changed.insert(key(event), event.sequence);
    }

    /// Writes what has changed.
    pub(crate) async fn save(
        &self,
        connection: &mut PgConnection,
        projection: &str,
        generation: i32,
    ) -> Result<(), sqlx::Error> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let (mut types, mut ids, mut sequences): (Vec<&str>, Vec<&str>, Vec<i64>) = (vec![], vec![], vec![]);
        for ((aggregate_type, aggregate_id), sequence) in &self.changed {
            types.push(*aggregate_type);
            ids.push(*aggregate_id);
            sequences.push(as_bigint(*sequence));
        }
        let save = sqlx::query!(
            "INSERT INTO projected_streams (projection, generation, aggregate_type, aggregate_id, sequence)
             SELECT $1, $2::integer, e.type, e.id, e.sequence FROM UNNEST($3::text[], $4::text[], $5::bigint[]) AS e(type, id, sequence)
             ON CONFLICT (projection, generation, aggregate_type, aggregate_id) DO UPDATE SET sequence = excluded.sequence",
            projection,
            generation,
            types as Vec<&str>,
            ids as Vec<&str>,
            &sequences,
        );
        save.execute(connection).await.map(|_| ())
    }

    fn reached(&self, event: &RecordedEvent) -> u64 {
        self.applied.get(&key(event)).copied().unwrap_or_default()
    }
}

fn key(event: &RecordedEvent) -> Key<'_> {
    (&event.aggregate_type, &event.aggregate_id)
}

/// A number as a `bigint`; one that is too great for it is the greatest.
pub(crate) fn as_bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
