-- One row a job, as clients see it. Rebuilt from the events at any time.
CREATE TABLE jobs (
    job_id            uuid        PRIMARY KEY,
    account           text        NOT NULL,
    status            text        NOT NULL,
    source_kind       text        NOT NULL,
    source_name       text        NOT NULL,
    title             text,
    language          text        NOT NULL,
    detected_language text,
    priority          text        NOT NULL,
    model             text,
    webhook_url       text,
    webhook_status    text,
    webhook_attempts  integer     NOT NULL DEFAULT 0,
    download_attempt  integer     NOT NULL DEFAULT 0,
    download_percent  smallint    NOT NULL DEFAULT 0,
    chunks            integer     NOT NULL DEFAULT 0,
    chunks_done       integer     NOT NULL DEFAULT 0,
    segments          integer     NOT NULL DEFAULT 0,
    duration_ms       bigint,
    error_stage       text,
    error_code        text,
    error_message     text,
    retry_at          timestamptz,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    ended_at          timestamptz,
    -- Sequence of the last event applied; also the ETag.
    version           bigint      NOT NULL
);

CREATE INDEX jobs_newest ON jobs (account, created_at DESC, job_id DESC);
CREATE INDEX jobs_open ON jobs (status) WHERE status IN ('pending', 'downloading', 'transcribing');

-- The text of each transcribed chunk; a transcript is its chunks in order.
CREATE TABLE transcript_chunks (
    job_id   uuid    NOT NULL,
    chunk    integer NOT NULL,
    language text    NOT NULL,
    segments jsonb   NOT NULL,
    PRIMARY KEY (job_id, chunk)
);

-- Events that a projector could not apply: kept for an operator, so that nothing is skipped in silence.
CREATE TABLE parked_events (
    projection     text        NOT NULL,
    transaction_id xid8        NOT NULL,
    position       bigint      NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    event_type     text        NOT NULL,
    error          text        NOT NULL,
    parked_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, transaction_id, position)
);
