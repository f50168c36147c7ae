-- Which event that asks a worker for something lies where in the stream. What lies there no more and is still needed is
-- published again; a row goes once its message is gone from the stream and nobody needs it.
CREATE TABLE relay_messages (
    job_id          text   NOT NULL,
    -- The event's place in the job's own life.
    sequence        bigint NOT NULL,
    -- Its message's number in the stream; 0 if the stream has lost it.
    stream_sequence bigint NOT NULL,
    PRIMARY KEY (job_id, sequence)
);

CREATE INDEX relay_messages_oldest ON relay_messages (stream_sequence, job_id, sequence);

-- Where earlier messages lie is not known; what is still needed of them is published once more.
INSERT INTO relay_messages (job_id, sequence, stream_sequence)
SELECT e.aggregate_id, e.sequence, 0 FROM events e, checkpoints c
 WHERE c.name = 'relay' AND (e.transaction_id, e.position) <= (c.transaction_id, c.position)
   AND e.aggregate_type = 'job'
   AND e.event_type IN ('JobCreated', 'ChunkScheduled',
                        'JobCompleted', 'JobFailed', 'JobCancelled');

-- A job's story includes the deliveries that tell of it.
CREATE INDEX events_of_deliveries ON events ((payload->>'job_id')) WHERE aggregate_type = 'delivery';
