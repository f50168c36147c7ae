//! The queues of a stage: who is asked first, and fetching.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{Consumer, pull};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::Queue;
use crate::topology;

/// Longest wait for the server's answer to a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// The stream or a consumer cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the queue {queue} does not answer: {reason}")]
pub(super) struct QueueError {
    queue: &'static str,
    reason: String,
}

/// Whose turn it is: each queue as often in a round as its weight says, spread evenly.
pub(super) struct WeightedRoundRobin {
    order: Vec<usize>,
    next: usize,
}

impl WeightedRoundRobin {
    pub(super) fn new(queues: &[Queue]) -> Self {
        let total: usize = queues.iter().map(|queue| queue.weight).sum();
        // Smooth weighted round robin: everybody gains its weight, the richest is next and pays the total.
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

    /// How many of the next `permits` turns each queue has.
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

/// The open queues of a stage.
pub(super) struct Queues {
    open: Vec<(Queue, Consumer<pull::Config>)>,
    turns: WeightedRoundRobin,
}

impl Queues {
    pub(super) async fn open(jetstream: &Context, queues: &[Queue]) -> Result<Self, QueueError> {
        let stream = topology::stream_config().name;
        let mut open = Vec::with_capacity(queues.len());
        for queue in queues {
            let consumer = jetstream
                .get_consumer_from_stream(queue.consumer, &stream)
                .await
                .map_err(|error| QueueError { queue: queue.consumer, reason: error.to_string() })?;
            open.push((*queue, consumer));
        }
        Ok(Self { open, turns: WeightedRoundRobin::new(queues) })
    }

    /// Takes up to `permits` messages that are waiting, without waiting for more.
    pub(super) async fn fetch(&mut self, permits: usize) -> Result<Vec<(Queue, jetstream::Message)>, QueueError> {
        let mut taken = Vec::with_capacity(permits);
        let shares = self.turns.share(permits, self.open.len());
        let asked = self.open.iter().zip(shares).map(|(open, share)| (open, Some(share)));
        // Whoever had nothing to give leaves room for the others, the most important first.
        let leftover = self.open.iter().map(|open| (open, None));
        for ((queue, consumer), share) in asked.chain(leftover) {
            let room = permits - taken.len();
            let at_most = share.unwrap_or(room).min(room);
            if at_most > 0 {
                fetch(*queue, consumer, at_most, &mut taken).await?;
            }
        }
        Ok(taken)
    }

    /// Messages that wait or are being worked on, of each queue.
    ///
    /// # Errors
    /// A consumer is gone, or another one has its name now.
    pub(super) async fn depths(&self) -> Result<Vec<(&'static str, u64)>, QueueError> {
        let mut depths = Vec::with_capacity(self.open.len());
        for (queue, consumer) in &self.open {
            let broken = |reason: String| QueueError { queue: queue.consumer, reason };
            let info = consumer.get_info().await.map_err(|error| broken(error.to_string()))?;
            if info.created != consumer.cached_info().created {
                return Err(broken("it was deleted and created again".to_owned()));
            }
            depths.push((queue.consumer, info.num_pending + info.num_ack_pending as u64));
        }
        Ok(depths)
    }
}

async fn fetch(
    queue: Queue,
    consumer: &Consumer<pull::Config>,
    at_most: usize,
    taken: &mut Vec<(Queue, jetstream::Message)>,
) -> Result<(), QueueError> {
    let broken = |reason: String| QueueError { queue: queue.consumer, reason };
    let mut batch =
        consumer.fetch().max_messages(at_most).messages().await.map_err(|error| broken(error.to_string()))?;
    loop {
        match timeout(FETCH_TIMEOUT, batch.next()).await {
            Ok(Some(Ok(message))) => taken.push((queue, message)),
            Ok(None) => return Ok(()),
            // What was taken so far is worked on; the fault shows again at the next fetch.
            Ok(Some(Err(_))) | Err(_) if !taken.is_empty() => return Ok(()),
            Ok(Some(Err(error))) => return Err(broken(error.to_string())),
            Err(_) => return Err(broken("no answer to a fetch".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUES: [Queue; 3] = super::super::by_priority("high", "normal", "low");

    #[test]
    fn a_round_gives_every_queue_its_weight() {
        assert_eq!(WeightedRoundRobin::new(&QUEUES).share(10, 3), [6, 3, 1]);
    }

    #[test]
    fn the_least_important_has_its_turn_within_every_round() {
        let mut turns = WeightedRoundRobin::new(&QUEUES);
        for round in 0..5 {
            let shares: Vec<Vec<usize>> = (0..10).map(|_| turns.share(1, 3)).collect();
            assert_eq!(shares.iter().filter(|share| share[2] == 1).count(), 1, "round {round}: {shares:?}");
            assert_eq!(shares[0], [1, 0, 0], "the most important begins");
        }
    }

    #[test]
    fn one_queue_gets_everything() {
        let mut turns = WeightedRoundRobin::new(&[Queue { consumer: "notify", weight: 1 }]);
        assert_eq!(turns.share(16, 1), [16]);
    }
}
