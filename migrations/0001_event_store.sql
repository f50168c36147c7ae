-- The append-only truth. Columns up to `metadata` are the table shape of postgres-es.
CREATE TABLE events (
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence >= 1),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    payload        jsonb       NOT NULL,
    metadata       jsonb       NOT NULL,
    -- Order of insertion; not of commit, so never a cursor by itself.
    position       bigint      GENERATED ALWAYS AS IDENTITY,
    -- With `position` the cursor of the feed: a reader sees only transactions older than every open one.
    transaction_id xid8        NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT events_pkey PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);

CREATE UNIQUE INDEX events_feed ON events (transaction_id, position);

-- How far each reader of the feed has come. Moved by compare-and-set, or under a row lock with what it writes.
CREATE TABLE checkpoints (
    name           text        PRIMARY KEY,
    transaction_id xid8        NOT NULL DEFAULT '0',
    position       bigint      NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- What the relay last saw of the JetStream stream; a stream that differs has lost data and is filled again.
CREATE TABLE relay_stream (
    name          text        PRIMARY KEY,
    created_at    timestamptz NOT NULL,
    last_sequence bigint      NOT NULL
);
