//! Finds what is not as it was sealed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;

use super::chain::{Chain, Link, PRINT_BYTES, identity};
use super::checkpoint::Checkpoint;
use super::compare::{Comparison, Leftovers, Met};
use super::finding::{EventName, Finding, SealFault};
use super::key::VerifyingKey;
use super::note;
use super::store::{Seal, newest_seal, seals_after};
use crate::query::horizon;
use crate::{Cursor, ExportedEvent, exported};

/// Events read at a time.
const PAGE_EVENTS: u32 = 500;
/// Seals read at a time.
const PAGE_SEALS: u32 = 64;
/// How far beyond an aggregate's last event a removed one is looked for, in events.
const BEYOND_LAST: u64 = 16;

/// What a verification has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many events there are.
    pub events: u64,
    /// How many of them, from the first, the seals cover.
    pub sealed: u64,
    /// How many seals there are.
    pub seals: u64,
    /// The newest seal's signed note.
    pub checkpoint: Option<String>,
    /// The keys that signed the seals.
    pub signed_by: Vec<String>,
    /// Whether those are the keys that were asked for; false if none was.
    pub trusted: bool,
    /// When the first event that no seal covers was recorded.
    pub unsealed_since: Option<DateTime<Utc>>,
    /// What is not as it was.
    pub findings: Vec<Finding>,
}

/// A verification under way. Events and seals are handed over in their order, each seal before the events that it
/// covers or after them.
#[derive(Default)]
pub struct Verifier {
    trusted: Vec<VerifyingKey>,
    kept: Option<String>,
    expected_seals: u64,
    events: u64,
    seals: u64,
    /// The chain as the newest seal has it; none if its note cannot be read.
    before: Option<Chain>,
    covered: u64,
    newest: Option<String>,
    signed_by: Vec<VerifyingKey>,
    comparison: Comparison,
    /// The last sequence of every aggregate: to name what was removed.
    aggregates: HashMap<(String, String), u64>,
    kept_found: Option<bool>,
    unsealed_since: Option<DateTime<Utc>>,
}

impl Verifier {
    /// A verification that trusts these keys, or if there are none, whichever signed.
    pub fn trusting(trusted: Vec<VerifyingKey>) -> Self {
        Self { trusted, before: Some(Chain::default()), ..Self::default() }
    }

    /// Compares also with a checkpoint, a signed note, that was kept elsewhere.
    #[must_use]
    pub fn with_checkpoint(mut self, note: Option<String>) -> Self {
        self.kept = note;
        self
    }

    /// So many seals will come. Events behind the last of them are counted only.
    pub fn expect_seals(&mut self, seals: u64) {
        self.expected_seals = seals;
    }

    /// How many events were handed over so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The next event.
    ///
    /// # Errors
    /// None that Postgres' own JSON could cause.
    pub fn event(&mut self, event: &ExportedEvent, cursor: Option<Cursor>) -> Result<(), serde_json::Error> {
        self.events += 1;
        let aggregate = (event.aggregate_type.clone(), event.aggregate_id.clone());
        let last = self.aggregates.entry(aggregate).or_default();
        *last = event.sequence.max(*last);
        if self.seals < self.expected_seals || self.comparison.awaits() {
            let name = EventName {
                aggregate_type: event.aggregate_type.clone(),
                aggregate_id: event.aggregate_id.clone(),
                sequence: event.sequence,
            };
            self.comparison.met(self.events, Met { cursor, name, link: Link::of(event)? });
        } else {
            self.unsealed_since.get_or_insert(event.recorded_at);
        }
        Ok(())
    }

    /// The next seal.
    pub fn seal(&mut self, seal: &Seal) {
        let mut faults = self.signature_faults(seal);
        if seal.number != self.seals + 1 {
            faults.push(SealFault::Missing);
            self.before = None;
        }
        self.seals = seal.number;
        let events = (seal.prints.len() / PRINT_BYTES) as u64;
        let said = Checkpoint::read(&seal.note);
        match said {
            Some(said) => {
                let first = said.chain.events.saturating_sub(events);
                if seal.prints.len() % PRINT_BYTES > 0 || self.before.is_some_and(|before| before.events != first) {
                    faults.push(SealFault::Count);
                    self.before = None;
                }
                self.comparison.uncovered(self.covered + 1..first + 1);
                self.comparison.sealed(seal.number, first + 1, &seal.prints, self.before, said.chain.hash);
                self.covered = said.chain.events;
                self.look_at_kept(&said);
            }
            None => {
                faults.push(SealFault::Unreadable);
                // Its prints still tell its events from others.
                self.comparison.sealed(seal.number, self.covered + 1, &seal.prints, None, Default::default());
                self.covered += events;
            }
        }
        self.before = said.map(|said| said.chain);
        self.newest = Some(seal.note.clone());
        let seal = seal.number;
        self.comparison.findings.extend(faults.into_iter().map(|fault| Finding::Seal { seal, fault }));
    }

    fn signature_faults(&mut self, seal: &Seal) -> Vec<SealFault> {
        let Ok(key) = seal.signed_by.parse::<VerifyingKey>() else { return vec![SealFault::Signature] };
        let mut faults = Vec::new();
        if !note::is_signed_by(&seal.note, &key) {
            faults.push(SealFault::Signature);
        }
        if !self.trusted.is_empty() && !self.trusted.contains(&key) {
            faults.push(SealFault::ForeignKey);
        }
        if !self.signed_by.contains(&key) {
            self.signed_by.push(key);
        }
        faults
    }

    fn look_at_kept(&mut self, said: &Checkpoint) {
        let kept = self.kept.as_deref().and_then(Checkpoint::read);
        if let Some(kept) = kept.filter(|kept| kept.chain.events == said.chain.events) {
            self.kept_found = Some(kept.chain.hash == said.chain.hash);
        }
    }

    /// What has come of it.
    pub fn finish(mut self) -> Report {
        let Leftovers { removed, inserted } = self.comparison.finish();
        let names = self.names_of(&removed);
        let mut findings = std::mem::take(&mut self.comparison.findings);
        findings.extend(
            removed
                .iter()
                .map(|(number, identity)| Finding::Removed { number: *number, event: names.get(identity).cloned() }),
        );
        findings.extend(inserted.into_iter().map(|(number, met)| Finding::Inserted {
            number,
            cursor: met.cursor,
            event: met.name,
        }));
        findings.extend(self.kept_finding());
        Report {
            events: self.events,
            sealed: self.covered,
            seals: self.seals,
            checkpoint: self.newest,
            signed_by: self.signed_by.iter().map(ToString::to_string).collect(),
            trusted: !self.trusted.is_empty() && self.signed_by.iter().all(|key| self.trusted.contains(key)),
            unsealed_since: self.unsealed_since,
            findings,
        }
    }

    fn kept_finding(&self) -> Option<Finding> {
        let kept = self.kept.as_deref()?;
        let keys = if self.trusted.is_empty() { &self.signed_by } else { &self.trusted };
        let Some(said) = Checkpoint::read(kept).filter(|_| keys.iter().any(|key| note::is_signed_by(kept, key))) else {
            return Some(Finding::UntrustedCheckpoint);
        };
        let then = said.chain.events;
        match self.kept_found {
            Some(true) => None,
            None if self.covered < then => Some(Finding::CutOff { then, now: self.covered }),
            Some(false) | None => Some(Finding::Rewritten { then }),
        }
    }

    /// The names of removed events: those among the possible ones that have these prints.
    fn names_of(&self, removed: &[(u64, [u8; 8])]) -> HashMap<[u8; 8], EventName> {
        let wanted: std::collections::HashSet<[u8; 8]> = removed.iter().map(|(_, identity)| *identity).collect();
        let mut names = HashMap::new();
        if wanted.is_empty() {
            return names;
        }
        for ((aggregate_type, aggregate_id), last) in &self.aggregates {
            for sequence in 1..=last + BEYOND_LAST {
                let Ok(print) = identity(aggregate_type, aggregate_id, sequence) else { continue };
                if wanted.contains(&print) {
                    let (aggregate_type, aggregate_id) = (aggregate_type.clone(), aggregate_id.clone());
                    names.insert(print, EventName { aggregate_type, aggregate_id, sequence });
                }
            }
        }
        names
    }

    /// Verifies the events of a database that are final now. `progress` is told how many events were looked at.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn database(mut self, pool: &PgPool, progress: impl Fn(u64)) -> Result<Report, sqlx::Error> {
        // In this order: what is sealed now is final then.
        let newest = newest_seal(pool).await?.map_or(0, |(seal, _)| seal.number);
        let horizon = horizon(pool).await?;
        self.expect_seals(newest);
        let (mut after, mut more) = (Cursor::default(), true);
        let mut number = 0;
        loop {
            let seals = seals_after(pool, number, newest, PAGE_SEALS).await?;
            seals.iter().for_each(|seal| self.seal(seal));
            if let Some(last) = seals.last() {
                number = last.number;
            }
            while more && (seals.is_empty() || self.events < self.covered) {
                let page = exported::page(pool, after, horizon, PAGE_EVENTS).await?;
                more = !page.is_empty();
                for placed in &page {
                    self.event(&placed.event, Some(placed.cursor))
                        .map_err(|error| sqlx::Error::Decode(error.into()))?;
                    after = placed.cursor;
                }
                progress(self.events);
            }
            if seals.is_empty() {
                return Ok(self.finish());
            }
        }
    }
}
