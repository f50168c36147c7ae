-- What the relay last saw of the JetStream stream; a stream that differs has lost data and is filled again.
CREATE TABLE relay_stream (
    name          text        PRIMARY KEY,
    created_at    timestamptz NOT NULL,
    last_sequence bigint      NOT NULL
);

-- Which events that trigger work are in the stream, and as which message. An event whose message is gone and whose work
-- is still pending is published again; a row is deleted once its message is gone from the stream and its work is done.
CREATE TABLE relay_messages (
    job_id          text   NOT NULL,
    -- Sequence of the event within its job.
    sequence        bigint NOT NULL,
    -- Sequence of the message in the stream; 0 if the stream has lost it.
    stream_sequence bigint NOT NULL,
    PRIMARY KEY (job_id, sequence)
);

CREATE INDEX relay_messages_oldest ON relay_messages (stream_sequence, job_id, sequence);
