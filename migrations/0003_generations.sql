-- A read model can be built anew beside the one that is asked. Every row belongs to a generation; queries see the one
-- that is named here, and a rebuild ends by naming another. Moved only under the row lock of the projection's checkpoint.
CREATE TABLE read_models (
    projection text        PRIMARY KEY,
    generation integer     NOT NULL DEFAULT 1,
    built_at   timestamptz NOT NULL DEFAULT now()
);

INSERT INTO read_models (projection) VALUES ('jobs');

ALTER TABLE jobs ADD COLUMN generation integer NOT NULL DEFAULT 1;
ALTER TABLE jobs ALTER COLUMN generation DROP DEFAULT;
-- Sequence of the last event applied of the delivery that tells of the job's end: deliveries, too, are applied in order,
-- each once.
ALTER TABLE jobs ADD COLUMN delivery_version bigint NOT NULL DEFAULT 0;
ALTER TABLE jobs DROP CONSTRAINT jobs_pkey;
ALTER TABLE jobs ADD CONSTRAINT jobs_pkey PRIMARY KEY (generation, job_id);
DROP INDEX jobs_newest;
CREATE INDEX jobs_newest ON jobs (generation, account, created_at DESC, job_id DESC);
-- No query could use it.
DROP INDEX jobs_open;

ALTER TABLE transcript_chunks ADD COLUMN generation integer NOT NULL DEFAULT 1;
ALTER TABLE transcript_chunks ALTER COLUMN generation DROP DEFAULT;
ALTER TABLE transcript_chunks DROP CONSTRAINT transcript_chunks_pkey;
ALTER TABLE transcript_chunks ADD CONSTRAINT transcript_chunks_pkey PRIMARY KEY (generation, job_id, chunk);

UPDATE jobs j SET delivery_version = told.newest
  FROM (SELECT e.payload->>'job_id' AS job_id, max(e.sequence) AS newest
          FROM events e, checkpoints c
         WHERE c.name = 'jobs' AND e.aggregate_type = 'delivery'
           AND (e.transaction_id, e.position) <= (c.transaction_id, c.position)
         GROUP BY 1) told
 WHERE told.job_id = j.job_id::text;

-- Until now events were applied although an earlier one of the same job was parked. Where that has happened the read
-- model is made again from the first event.
DELETE FROM transcript_chunks WHERE EXISTS (SELECT 1 FROM parked_events);
DELETE FROM jobs WHERE EXISTS (SELECT 1 FROM parked_events);
DELETE FROM checkpoints WHERE name = 'jobs' AND EXISTS (SELECT 1 FROM parked_events);

-- What is parked belongs to a generation as the rows do. From here on all later events of an aggregate wait behind the
-- one that cannot be applied.
DROP TABLE parked_events;
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
    -- Nothing is wrong with the event itself: it waits behind an earlier one.
    waits          boolean     NOT NULL,
    error          text        NOT NULL,
    parked_at      timestamptz NOT NULL DEFAULT now(),
    retried_at     timestamptz,
    PRIMARY KEY (projection, generation, aggregate_type, aggregate_id, sequence)
);
