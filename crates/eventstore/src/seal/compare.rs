//! Compares the events that are there with the fingerprints of those that were sealed, both in order, with as little in
//! memory as they differ.

use std::collections::HashMap;
use std::ops::Range;

use super::chain::{Chain, FINGERPRINT_BYTES, Fingerprint, Hash, Link, PART_BYTES};
use super::finding::{EventRef, Finding, Part, SealDefect};
use crate::Cursor;

type Identity = [u8; PART_BYTES];

/// An event that is there.
pub(super) struct Present {
    pub(super) cursor: Option<Cursor>,
    pub(super) name: EventRef,
    pub(super) link: Link,
}

/// A seal whose events are being met.
struct Open {
    /// The chain before it; none if the seal before cannot be read.
    before: Option<Chain>,
    claimed: Hash,
    hashes: Vec<Option<Hash>>,
    left: usize,
}

/// An event that was sealed and has not been met yet.
struct Awaited {
    number: u64,
    fingerprint: Fingerprint,
    seal: u64,
    /// Its index under that seal.
    place: usize,
}

/// An event whose number differs from the one it was sealed with.
struct Displaced {
    was: u64,
    is: u64,
    name: EventRef,
}

/// A comparison under way.
#[derive(Default)]
pub(super) struct Comparison {
    awaited: HashMap<Identity, Vec<Awaited>>,
    unknown: HashMap<Identity, Vec<(u64, Present)>>,
    open: HashMap<u64, Open>,
    displaced: Vec<Displaced>,
    /// Numbers that no seal covers, because it was removed or cut short.
    uncovered: Vec<Range<u64>>,
    /// The greatest number of an event that was met and had been sealed.
    last_met: u64,
    pub(super) findings: Vec<Finding>,
}

/// What was sealed and never met, and what was met and never sealed.
pub(super) struct Unmatched {
    /// Numbers and identities of events that are not there.
    pub(super) removed: Vec<(u64, Identity)>,
    pub(super) inserted: Vec<(u64, Present)>,
}

impl Comparison {
    /// Whether sealed events have not been met yet.
    pub(super) fn awaits(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// A seal that covers the events after `first - 1`, one for each fingerprint.
    pub(super) fn sealed(&mut self, seal: u64, first: u64, fingerprints: &[u8], before: Option<Chain>, claimed: Hash) {
        let events = fingerprints.len() / FINGERPRINT_BYTES;
        self.open.insert(seal, Open { before, claimed, hashes: vec![None; events], left: events });
        for (place, bytes) in fingerprints.chunks_exact(FINGERPRINT_BYTES).enumerate() {
            let mut fingerprint = [0; FINGERPRINT_BYTES];
            fingerprint.copy_from_slice(bytes);
            let awaited = Awaited { number: first + place as u64, fingerprint, seal, place };
            match take(&mut self.unknown, identity_of(&fingerprint)) {
                Some((number, met)) => self.found(&awaited, number, met),
                None => self.awaited.entry(identity_of(&fingerprint)).or_default().push(awaited),
            }
        }
    }

    /// No seal covers these numbers.
    pub(super) fn uncovered(&mut self, numbers: Range<u64>) {
        self.uncovered.push(numbers);
    }

    /// The event of that number.
    pub(super) fn met(&mut self, number: u64, met: Present) {
        let identity = identity_of(&met.link.fingerprint);
        match take(&mut self.awaited, identity) {
            Some(awaited) => self.found(&awaited, number, met),
            None => self.unknown.entry(identity).or_default().push((number, met)),
        }
    }

    fn found(&mut self, awaited: &Awaited, number: u64, met: Present) {
        self.last_met = self.last_met.max(number);
        let differs = |n: &usize| {
            let part = n * PART_BYTES..(n + 1) * PART_BYTES;
            awaited.fingerprint[part.clone()] != met.link.fingerprint[part]
        };
        let parts: Vec<Part> = (0..Part::ALL.len()).filter(differs).map(|n| Part::ALL[n]).collect();
        if awaited.number != number {
            self.displaced.push(Displaced { was: awaited.number, is: number, name: met.name.clone() });
        }
        let same = parts.is_empty();
        if !same {
            self.findings.push(Finding::Changed { number, cursor: met.cursor, event: met.name, parts });
        }
        let Some(open) = self.open.get_mut(&awaited.seal) else { return };
        open.hashes[awaited.place] = same.then_some(met.link.hash);
        open.left -= 1;
        if open.left == 0
            && let Some(whole) = self.open.remove(&awaited.seal)
            && whole.is_refuted()
        {
            self.findings.push(Finding::Seal { seal: awaited.seal, defect: SealDefect::Hash });
        }
    }

    /// Ends the comparison: classifies the events that are missing, unknown or moved.
    pub(super) fn finish(&mut self) -> Unmatched {
        self.pair_changed_identities();
        let mut removed: Vec<(u64, Identity)> = self
            .awaited
            .drain()
            .flat_map(|(identity, all)| all.into_iter().map(move |a| (a.number, identity)))
            .collect();
        removed.sort_unstable();
        let mut inserted: Vec<(u64, Present)> = self.unknown.drain().flat_map(|(_, all)| all).collect();
        // What follows on all that was sealed is new.
        let uncovered = |number: u64| self.uncovered.iter().any(|numbers| numbers.contains(&number));
        inserted.retain(|(number, _)| *number < self.last_met && !uncovered(*number));
        inserted.sort_unstable_by_key(|(number, _)| *number);
        self.find_moved(&removed, &inserted);
        Unmatched { removed, inserted }
    }

    /// A missing event and an unknown one with the same contents are one event whose identity was changed.
    fn pair_changed_identities(&mut self) {
        let contents = |fingerprint: &Fingerprint| -> [u8; 2 * PART_BYTES] {
            let mut contents = [0; 2 * PART_BYTES];
            contents.copy_from_slice(&fingerprint[2 * PART_BYTES..]);
            contents
        };
        let mut gone: HashMap<[u8; 2 * PART_BYTES], Vec<Identity>> = HashMap::new();
        for (identity, all) in &self.awaited {
            for awaited in all {
                gone.entry(contents(&awaited.fingerprint)).or_default().push(*identity);
            }
        }
        let unknown: Vec<(Identity, [u8; 2 * PART_BYTES])> = self
            .unknown
            .iter()
            .flat_map(|(identity, all)| all.iter().map(|(_, met)| (*identity, contents(&met.link.fingerprint))))
            .collect();
        for (identity, contents) in unknown {
            let Some(was) = gone.get_mut(&contents).and_then(Vec::pop) else { continue };
            if let (Some(awaited), Some((number, met))) =
                (take(&mut self.awaited, was), take(&mut self.unknown, identity))
            {
                self.found(&awaited, number, met);
            }
        }
    }

    /// Numbers shift behind removed or inserted events; an event with another number beyond that shift was moved.
    fn find_moved(&mut self, removed: &[(u64, Identity)], inserted: &[(u64, Present)]) {
        self.displaced.sort_unstable_by_key(|displaced| displaced.is);
        let mut run: Option<(EventRef, u64, u64, u64)> = None;
        for Displaced { was, is, name } in self.displaced.drain(..) {
            let was_among = was - removed.partition_point(|(number, _)| *number < was) as u64;
            let is_among = is - inserted.partition_point(|(number, _)| *number < is) as u64;
            if was_among == is_among {
                continue;
            }
            run = match run {
                Some((first, events, was_first, is_first)) if (was_first + events, is_first + events) == (was, is) => {
                    Some((first, events + 1, was_first, is_first))
                }
                ended => {
                    self.findings.extend(ended.map(moved));
                    Some((name, 1, was, is))
                }
            };
        }
        self.findings.extend(run.map(moved));
    }
}

fn moved((event, events, was, is): (EventRef, u64, u64, u64)) -> Finding {
    Finding::Moved { event, events, was, is }
}

impl Open {
    /// Whether all its events are what they were and the chain is not.
    fn is_refuted(&self) -> bool {
        let Some(mut chain) = self.before else { return false };
        for hash in &self.hashes {
            let Some(hash) = hash else { return false };
            chain.add(*hash);
        }
        chain.hash != self.claimed
    }
}

fn identity_of(fingerprint: &Fingerprint) -> Identity {
    let mut identity = [0; PART_BYTES];
    identity.copy_from_slice(&fingerprint[..PART_BYTES]);
    identity
}

/// The first of that identity.
fn take<T>(map: &mut HashMap<Identity, Vec<T>>, identity: Identity) -> Option<T> {
    let all = map.get_mut(&identity)?;
    let first = all.remove(0);
    if all.is_empty() {
        map.remove(&identity);
    }
    Some(first)
}
