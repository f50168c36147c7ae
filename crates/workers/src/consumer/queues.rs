//! The queues of a step: which of them has the next turn, and fetching.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{Consumer, pull};
use futures::StreamExt as _;
use tokio::time::timeout;
use ytcaption_domain::step::StepQueue;

use crate::topology;

/// Longest wait for the server's response to a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// A queue cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the queue {queue} does not answer: {reason}")]
pub(super) struct QueueError {
    queue: String,
    reason: String,
}

/// Smooth weighted round robin: in every round each queue has as many turns as its weight says, evenly distributed.
pub(super) struct WeightedRoundRobin {
    /// Indices of the queues, in the order of their turns.
    order: Vec<usize>,
    next: usize,
}

impl WeightedRoundRobin {
    pub(super) fn new(queues: &[StepQueue]) -> Self {
        let total: usize = queues.iter().map(|queue| queue.weight).sum();
        // Each queue gains its weight; the one with the most credit is next and pays the total.
        let mut credit = vec![0_isize; queues.len()];
        let signed = |weight: usize| isize::try_from(weight).unwrap_or(isize::MAX);
        let mut order = Vec::with_capacity(total);
        for _ in 0..total {
            for (credit, queue) in credit.iter_mut().zip(queues) {
                *credit += signed(queue.weight);
            }
            let richest = (0..queues.len()).rev().max_by_key(|index| credit[*index]).unwrap_or_default();
            credit[richest] -= signed(total);
            order.push(richest);
        }
        Self { order, next: 0 }
    }

    /// How many of the next `permits` turns each of `queues` queues has.
    pub(super) fn share(&mut self, permits: usize, queues: usize) -> Vec<usize> {
        let mut shares = vec![0; queues];
        for _ in 0..permits {
            if let Some(index) = self.order.get(self.next) {
                shares[*index] += 1;
                self.next = (self.next + 1) % self.order.len();
            }
        }
        shares
    }
}

/// The open queues of a step, the most urgent first.
pub(super) struct Queues {
    open: Vec<(String, Consumer<pull::Config>)>,
    turns: WeightedRoundRobin,
}

impl Queues {
    pub(super) async fn open(jetstream: &Context, queues: &[StepQueue]) -> Result<Self, QueueError> {
        let stream = topology::stream_config().name;
        let mut open = Vec::with_capacity(queues.len());
        for StepQueue { consumer: name, .. } in queues {
            let consumer = jetstream
                .get_consumer_from_stream(name, &stream)
                .await
                .map_err(|error| QueueError { queue: name.clone(), reason: error.to_string() })?;
            open.push((name.clone(), consumer));
        }
        Ok(Self { open, turns: WeightedRoundRobin::new(queues) })
    }

    /// Fetches up to `permits` messages that are waiting, each with the name of its queue, without waiting for more.
    pub(super) async fn fetch(&mut self, permits: usize) -> Result<Vec<(String, jetstream::Message)>, QueueError> {
        let mut fetched = Vec::with_capacity(permits);
        let shares = self.turns.share(permits, self.open.len());
        let by_turn = self.open.iter().zip(shares).map(|(open, share)| (open, Some(share)));
        // Permits that a queue does not use go to the others, the most urgent first.
        let unused = self.open.iter().map(|open| (open, None));
        for ((queue, consumer), share) in by_turn.chain(unused) {
            let room = permits - fetched.len();
            let at_most = share.unwrap_or(room).min(room);
            if at_most > 0 {
                fetch(queue, consumer, at_most, &mut fetched).await?;
            }
        }
        Ok(fetched)
    }

    /// The number of messages of each queue that wait or are in progress.
    ///
    /// # Errors
    /// A consumer was deleted, or deleted and created again.
    pub(super) async fn depths(&self) -> Result<Vec<(&str, u64)>, QueueError> {
        let mut depths = Vec::with_capacity(self.open.len());
        for (queue, consumer) in &self.open {
            let broken = |reason: String| QueueError { queue: queue.clone(), reason };
            let info = consumer.get_info().await.map_err(|error| broken(error.to_string()))?;
            if info.created != consumer.cached_info().created {
                return Err(broken("it was deleted and created again".to_owned()));
            }
            depths.push((queue.as_str(), info.num_pending + info.num_ack_pending as u64));
        }
        Ok(depths)
    }
}

async fn fetch(
    queue: &str,
    consumer: &Consumer<pull::Config>,
    at_most: usize,
    fetched: &mut Vec<(String, jetstream::Message)>,
) -> Result<(), QueueError> {
    let broken = |reason: String| QueueError { queue: queue.to_owned(), reason };
    let mut batch =
        consumer.fetch().max_messages(at_most).messages().await.map_err(|error| broken(error.to_string()))?;
    loop {
        match timeout(FETCH_TIMEOUT, batch.next()).await {
            Ok(Some(Ok(message))) => fetched.push((queue.to_owned(), message)),
            Ok(None) => return Ok(()),
            // What was fetched so far is worked on; the next fetch meets the error again.
            Ok(Some(Err(_))) | Err(_) if !fetched.is_empty() => return Ok(()),
            Ok(Some(Err(error))) => return Err(broken(error.to_string())),
            Err(_) => return Err(broken("it did not respond to a fetch".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use ytcaption_domain::step::{DOWNLOAD, NOTIFY};

    use super::*;

    #[test]
    fn a_round_gives_every_queue_its_weight() {
        assert_eq!(WeightedRoundRobin::new(&DOWNLOAD.queues()).share(10, 3), [6, 3, 1]);
    }

    #[test]
    fn the_least_urgent_has_its_turn_within_every_round() {
        let mut turns = WeightedRoundRobin::new(&DOWNLOAD.queues());
        for round in 0..5 {
            let shares: Vec<Vec<usize>> = (0..10).map(|_| turns.share(1, 3)).collect();
            assert_eq!(shares.iter().filter(|share| share[2] == 1).count(), 1, "round {round}: {shares:?}");
            assert_eq!(shares[0], [1, 0, 0], "the most urgent begins");
        }
    }

    #[test]
    fn one_queue_gets_everything() {
        assert_eq!(WeightedRoundRobin::new(&NOTIFY.queues()).share(16, 1), [16]);
    }
}
