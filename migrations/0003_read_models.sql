-- A read model can be built anew beside the one that queries read. Every row belongs to a generation; queries read the
-- generation that is named here, and a rebuild ends by naming another. Changed only under the row lock of the
-- projection's checkpoint.
CREATE TABLE read_models (
    projection text        PRIMARY KEY,
    generation integer     NOT NULL DEFAULT 1,
    built_at   timestamptz NOT NULL DEFAULT now()
);

INSERT INTO read_models (projection) VALUES ('jobs');

-- One row for each job, as clients see it. Rebuilt from the events at any time.
CREATE TABLE jobs (
    generation        integer     NOT NULL,
    job_id            uuid        NOT NULL,
    account           text        NOT NULL,
    status            text        NOT NULL,
    source_kind       text        NOT NULL,
    source_name       text        NOT NULL,
    title             text,
    task              text        NOT NULL,
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
    -- What is wrong with the media of a job that goes on.
    warning           text,
    error_stage       text,
    error_code        text,
    error_message     text,
    retry_at          timestamptz,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    ended_at          timestamptz,
    -- Sequence of the last event of the job that was applied; also the ETag.
    version           bigint      NOT NULL,
    -- Sequence of the last event of the job's delivery that was applied.
    delivery_version  bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, job_id)
);

CREATE INDEX jobs_newest ON jobs (generation, account, created_at DESC, job_id DESC);

-- The text of each transcribed chunk; a transcript is its chunks in order.
CREATE TABLE transcript_chunks (
    generation integer NOT NULL,
    job_id     uuid    NOT NULL,
    chunk      integer NOT NULL,
    language   text    NOT NULL,
    segments   jsonb   NOT NULL,
    PRIMARY KEY (generation, job_id, chunk)
);

-- Events that a projector could not apply, kept for an operator, and the later events of the same aggregate.
CREATE TABLE parked_events (
    projection     text        NOT NULL,
    generation     integer     NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL,
    transaction_id xid8        NOT NULL,
    position       bigint      NOT NULL,
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    -- Nothing is wrong with the event itself: an earlier one of its aggregate is parked.
    waits          boolean     NOT NULL,
    error          text        NOT NULL,
    parked_at      timestamptz NOT NULL DEFAULT now(),
    retried_at     timestamptz,
    PRIMARY KEY (projection, generation, aggregate_type, aggregate_id, sequence)
);
