-- The append-only events. Columns up to `metadata` are the table shape of postgres-es.
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
-- Events of aggregates that share the data key of a job; an event of the job itself names no key and is not in it.
CREATE INDEX events_of_data_key ON events ((metadata->>'data_key')) WHERE metadata->>'data_key' IS NOT NULL;

-- All events about a job: its own, and those of aggregates that share its data key, such as its deliveries. Inlined into the
-- statements that call it.
CREATE FUNCTION events_about(job_id text) RETURNS SETOF events LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT * FROM events WHERE aggregate_type = 'job' AND aggregate_id = job_id
    UNION ALL
    SELECT * FROM events WHERE metadata->>'data_key' = job_id
$$;

-- The keys that encrypt the personal content of events, one for each job, wrapped by a master key (docs/encryption.md).
-- Backups hold this table in a file of its own. A deleted row makes the content of its events unreadable for good.
CREATE TABLE data_keys (
    -- The id of the job.
    id      text  PRIMARY KEY,
    -- The id of the master key (4 bytes), a nonce (12), the encrypted key (32) and its tag (16).
    wrapped bytea NOT NULL
);

-- How far each reader of the feed has come. Moved by compare-and-set, or under a row lock with what it writes.
CREATE TABLE checkpoints (
    name           text        PRIMARY KEY,
    transaction_id xid8        NOT NULL DEFAULT '0',
    position       bigint      NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- Hashes of the events, chained and signed (ADR 14), so that a change is found. A seal counts events and holds no
-- cursor in its note, so it is valid in every copy of the store; its cursor belongs to this cluster.
CREATE TABLE seals (
    number         bigint PRIMARY KEY CHECK (number >= 1),
    -- 32 bytes for each event since the seal before: eight of the hash of each of its four parts.
    fingerprints   bytea  NOT NULL,
    -- How many events there were and the hash of their chain, as a signed note (C2SP).
    note           text   NOT NULL,
    -- The key to verify the note with.
    signed_by      text   NOT NULL,
    -- The last event it covers.
    transaction_id xid8   NOT NULL,
    position       bigint NOT NULL
);

-- Events and seals are only added, also by the owner of the tables. docs/backup.md says how an owner changes them in an
-- emergency.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: events and seals are never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'docs/backup.md says what an owner can do in an emergency.';
END
$$;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Makes events that pg_restore brought from another cluster visible to the feed, in their order: their transaction ids
-- are those of the old cluster and are in this one's future. All get the same id, older than any real one, and positions
-- in the order of the feed; every table that holds a cursor (columns transaction_id and position) is changed with them.
-- Returns how many events there are, or 0 if none lay in the future and nothing was done. The owner calls it before
-- anything else connects.
CREATE FUNCTION adopt_restored_events() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    adopted bigint;
    cursor_table record;
BEGIN
    LOCK TABLE events, seals IN ACCESS EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM events WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())) THEN
        RETURN 0;
    END IF;
    CREATE TEMPORARY TABLE new_cursors ON COMMIT DROP AS
        SELECT transaction_id, position, row_number() OVER (ORDER BY transaction_id, position) AS number FROM events;
    CREATE UNIQUE INDEX ON new_cursors (transaction_id, position);
    ANALYZE new_cursors;

    ALTER TABLE events DISABLE TRIGGER events_append_only;
    ALTER TABLE seals DISABLE TRIGGER seals_append_only;
    ALTER TABLE events ALTER position SET GENERATED BY DEFAULT;
    DROP INDEX events_feed;
    FOR cursor_table IN
        SELECT c.oid::regclass AS name FROM pg_class c
         WHERE c.relkind = 'r' AND c.oid <> 'events'::regclass
           AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'events'::regclass)
           AND 2 = (SELECT count(*) FROM pg_attribute a
                     WHERE a.attrelid = c.oid AND NOT a.attisdropped
                       AND (a.attname, a.atttypid) IN (('transaction_id', 'xid8'::regtype), ('position', 'int8'::regtype)))
    LOOP
        EXECUTE format(
            'UPDATE %s t SET transaction_id = ''1'', position = coalesce(
                 (SELECT n.number FROM new_cursors n WHERE (n.transaction_id, n.position) <= (t.transaction_id, t.position)
                   ORDER BY n.transaction_id DESC, n.position DESC LIMIT 1), 0)', cursor_table.name);
    END LOOP;
    UPDATE events e SET transaction_id = '1', position = n.number FROM new_cursors n
     WHERE (e.transaction_id, e.position) = (n.transaction_id, n.position);
    GET DIAGNOSTICS adopted = ROW_COUNT;
    CREATE UNIQUE INDEX events_feed ON events (transaction_id, position);
    ALTER TABLE events ALTER position SET GENERATED ALWAYS;
    ALTER TABLE seals ENABLE TRIGGER seals_append_only;
    ALTER TABLE events ENABLE TRIGGER events_append_only;
    RETURN adopted;
END
$$;
REVOKE EXECUTE ON FUNCTION adopt_restored_events() FROM PUBLIC;
