-- Read models. Every row belongs to a generation of its projection (ADR 12): queries see the live one, and a rebuild fills
-- the next one beside it. All tables here can be made again from the events.

-- The live generation of each projection that was ever rebuilt. Moved only under the row lock of its checkpoint.
CREATE TABLE read_models (
    projection text        PRIMARY KEY,
    generation integer     NOT NULL,
    built_at   timestamptz NOT NULL DEFAULT now()
);

-- The generation that queries see; the first is 1.
CREATE FUNCTION live_generation(projection text) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce((SELECT m.generation FROM read_models m WHERE m.projection = live_generation.projection), 1)
$$;

-- How far the events of each aggregate are applied in a projection: its events come in order, each once.
CREATE TABLE projected_streams (
    projection     text    NOT NULL,
    generation     integer NOT NULL,
    aggregate_type text    NOT NULL,
    aggregate_id   text    NOT NULL,
    -- Of the last event applied.
    sequence       bigint  NOT NULL,
    PRIMARY KEY (projection, generation, aggregate_type, aggregate_id)
);

-- Events that a projector could not apply, and the later ones of the same aggregate, until they can be.
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
    -- The event itself is sound: an earlier one of the same aggregate blocks it.
    blocked        boolean     NOT NULL,
    error          text        NOT NULL,
    parked_at      timestamptz NOT NULL DEFAULT now(),
    retried_at     timestamptz,
    PRIMARY KEY (projection, generation, aggregate_type, aggregate_id, sequence)
);

-- Projection `jobs`: a row a job as clients see it. What queries filter or sort by is repeated beside the document.
CREATE TABLE jobs (
    generation integer     NOT NULL,
    job_id     uuid        NOT NULL,
    account    text        NOT NULL,
    status     text        NOT NULL,
    created_at timestamptz NOT NULL,
    -- Sequence of the last event applied.
    version    bigint      NOT NULL,
    view       jsonb       NOT NULL,
    PRIMARY KEY (generation, job_id)
);

CREATE INDEX jobs_newest ON jobs (generation, account, created_at DESC, job_id DESC);

-- The segments of each transcribed chunk; a transcript is its chunks in order.
CREATE TABLE transcript_chunks (
    generation integer NOT NULL,
    job_id     uuid    NOT NULL,
    chunk      integer NOT NULL,
    segments   jsonb   NOT NULL,
    PRIMARY KEY (generation, job_id, chunk)
);

-- Projection `usage`: what an account has used on each day (UTC).
CREATE TABLE usage_days (
    generation     integer NOT NULL,
    account        text    NOT NULL,
    day            date    NOT NULL,
    jobs_created   bigint  NOT NULL,
    jobs_completed bigint  NOT NULL,
    jobs_failed    bigint  NOT NULL,
    jobs_cancelled bigint  NOT NULL,
    -- Length of the media of the completed jobs, in milliseconds.
    media_ms       bigint  NOT NULL,
    PRIMARY KEY (generation, account, day)
);
