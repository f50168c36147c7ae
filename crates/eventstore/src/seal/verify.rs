//! Finds what is not as it was sealed.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::chain::{Chain, FINGERPRINT_BYTES, Hash, Link, PART_BYTES, identity};
use super::checkpoint::Checkpoint;
use super::compare::{Comparison, Present, Unmatched};
use super::finding::{EventRef, Finding, SealDefect};
use super::key::VerifyingKey;
use super::note;
use super::store::Seal;
use crate::{Cursor, ExportedEvent};

/// More events than any database holds.
const MOST_EVENTS: u64 = 1 << 60;
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
    /// Whether those are the trusted keys; false if none was given.
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

    /// The number of seals that follow. Events after the last of them are only counted.
    pub fn expect_seals(&mut self, seals: u64) {
        self.expected_seals = seals;
    }

    /// How many events were handed over so far.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// How many events the seals cover that were handed over so far.
    pub(super) fn covered(&self) -> u64 {
        self.covered
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
            let name = EventRef {
                aggregate_type: event.aggregate_type.clone(),
                aggregate_id: event.aggregate_id.clone(),
                sequence: event.sequence,
            };
            self.comparison.met(self.events, Present { cursor, name, link: Link::from_event(event)? });
        } else {
            self.unsealed_since.get_or_insert(event.recorded_at);
        }
        Ok(())
    }

    /// The next seal.
    pub fn seal(&mut self, seal: &Seal) {
        let mut defects = self.signature_defects(seal);
        if seal.number != self.seals.saturating_add(1) {
            defects.push(SealDefect::Missing);
            self.before = None;
        }
        self.seals = seal.number;
        let said = Checkpoint::parse(&seal.note);
        if let Some(said) = &said {
            defects.extend(self.covers(seal, said));
            self.look_at_kept(said);
        } else {
            defects.push(SealDefect::Unreadable);
            // Its fingerprints still identify its events.
            self.comparison.sealed(seal.number, self.covered + 1, &seal.fingerprints, None, Hash::default());
            self.covered += (seal.fingerprints.len() / FINGERPRINT_BYTES) as u64;
        }
        self.before = said.map(|said| said.chain);
        self.newest = Some(seal.note.clone());
        let seal = seal.number;
        self.comparison.findings.extend(defects.into_iter().map(|defect| Finding::Seal { seal, defect }));
    }

    /// Compares the events that a seal covers.
    fn covers(&mut self, seal: &Seal, said: &Checkpoint) -> Option<SealDefect> {
        let last = said.chain.events;
        let fingerprints = (seal.fingerprints.len() / FINGERPRINT_BYTES) as u64;
        // Somebody else's number may be any.
        if last > MOST_EVENTS {
            return Some(SealDefect::Unreadable);
        }
        let before = last.saturating_sub(fingerprints);
        let whole = seal.fingerprints.len().is_multiple_of(FINGERPRINT_BYTES) && before + fingerprints == last;
        let miscounted = !whole || self.before.is_some_and(|chain| chain.events != before);
        if miscounted {
            self.before = None;
        }
        self.comparison.uncovered(self.covered + 1..before + 1);
        self.comparison.sealed(seal.number, before + 1, &seal.fingerprints, self.before, said.chain.hash);
        self.covered = last;
        miscounted.then_some(SealDefect::Count)
    }

    fn signature_defects(&mut self, seal: &Seal) -> Vec<SealDefect> {
        let Ok(key) = seal.signed_by.parse::<VerifyingKey>() else { return vec![SealDefect::Signature] };
        let mut defects = Vec::new();
        if !note::is_signed_by(&seal.note, &key) {
            defects.push(SealDefect::Signature);
        }
        if !self.trusted.is_empty() && !self.trusted.contains(&key) {
            defects.push(SealDefect::ForeignKey);
        }
        if !self.signed_by.contains(&key) {
            self.signed_by.push(key);
        }
        defects
    }

    fn look_at_kept(&mut self, said: &Checkpoint) {
        let kept = self.kept.as_deref().and_then(Checkpoint::parse);
        if let Some(kept) = kept.filter(|kept| kept.chain.events == said.chain.events) {
            self.kept_found = Some(kept.chain.hash == said.chain.hash);
        }
    }

    /// What has come of it.
    pub fn finish(mut self) -> Report {
        let Unmatched { removed, inserted } = self.comparison.finish();
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
        let Some(said) = Checkpoint::parse(kept).filter(|_| keys.iter().any(|key| note::is_signed_by(kept, key)))
        else {
            return Some(Finding::UntrustedCheckpoint);
        };
        let then = said.chain.events;
        match self.kept_found {
            Some(true) => None,
            None if self.covered < then => Some(Finding::CutOff { then, now: self.covered }),
            Some(false) | None => Some(Finding::Rewritten { then }),
        }
    }

    /// The names of removed events: those among the possible ones that have these fingerprints.
    fn names_of(&self, removed: &[(u64, [u8; PART_BYTES])]) -> HashMap<[u8; PART_BYTES], EventRef> {
        let wanted: std::collections::HashSet<[u8; PART_BYTES]> =
            removed.iter().map(|(_, identity)| *identity).collect();
        let mut names = HashMap::new();
        if wanted.is_empty() {
            return names;
        }
        for ((aggregate_type, aggregate_id), last) in &self.aggregates {
            for sequence in 1..=last + BEYOND_LAST {
                let Ok(fingerprint) = identity(aggregate_type, aggregate_id, sequence) else { continue };
                if wanted.contains(&fingerprint) {
                    let (aggregate_type, aggregate_id) = (aggregate_type.clone(), aggregate_id.clone());
                    names.insert(fingerprint, EventRef { aggregate_type, aggregate_id, sequence });
                }
            }
        }
        names
    }
}
