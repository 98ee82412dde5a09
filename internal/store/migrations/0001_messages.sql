-- The first schema. Why each table is as it is: ../DESIGN.md.

-- What never changes in a database, one row.
CREATE TABLE meta (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    hash_seed    INTEGER NOT NULL, -- of the id hashes in id_filters
    segment_bits INTEGER NOT NULL  -- a row belongs to segment rid >> segment_bits
) STRICT;

-- What every batch moves, one row.
CREATE TABLE state (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    stream       INTEGER NOT NULL, -- streams.id of the current stream, 0 before the first
    seq          INTEGER NOT NULL, -- the checkpoint: every entry up to here is applied
    msg_id       TEXT    NOT NULL, -- Nats-Msg-Id of the entry at seq
    applied_at   TEXT    NOT NULL, -- the stream's time of acceptance of that entry, '' when unknown
    next_rid     INTEGER NOT NULL, -- rid of the next new row
    messages     INTEGER NOT NULL, -- rows of messages
    senders      INTEGER NOT NULL, -- rows of senders
    inserted     INTEGER NOT NULL, -- what became of the entries applied since the database was made
    duplicates   INTEGER NOT NULL,
    conflicts    INTEGER NOT NULL,
    dead_letters INTEGER NOT NULL
) STRICT;

INSERT INTO state VALUES (1, 0, 0, '', '', 1, 0, 0, 0, 0, 0, 0);

-- Every stream that was ever the current one. A stream that comes back gets a new row.
CREATE TABLE streams (
    id        INTEGER PRIMARY KEY,
    identity  TEXT    NOT NULL, -- name and creation time
    first_rid INTEGER NOT NULL  -- rows from here on were inserted while this stream or a later one was current
) STRICT;

-- Rows in order of arrival. rids from the current stream's first_rid on are in order of seq.
CREATE TABLE messages (
    rid         INTEGER PRIMARY KEY,
    message_id  TEXT    NOT NULL,
    from_msisdn TEXT    NOT NULL,
    to_msisdn   TEXT    NOT NULL,
    ts          TEXT    NOT NULL, -- as the sender wrote it
    created_at  TEXT    NOT NULL, -- the stream's time of acceptance, RFC 3339 with nine fraction digits
    seq         INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    stream      INTEGER NOT NULL REFERENCES streams (id),
    ts_us       INTEGER NOT NULL, -- ts in microseconds since 1970, rounded down
    ts_ns       INTEGER NOT NULL, -- the rest, 0 to 999 nanoseconds
    text        TEXT,
    seg         INTEGER AS (rid >> 16) VIRTUAL
) STRICT;

-- One message by its id, and that no segment has an id twice.
CREATE UNIQUE INDEX messages_id ON messages (seg, message_id);
-- Pages and counts over all messages.
CREATE INDEX messages_time ON messages (seg, ts_us, ts_ns, message_id);
-- Pages and counts of a sender.
CREATE INDEX messages_sender ON messages (seg, from_msisdn, ts_us, ts_ns, message_id);

-- Which segments have rows, and within which instants, so that queries pass over the others.
CREATE TABLE segments (
    seg    INTEGER PRIMARY KEY,
    rows   INTEGER NOT NULL,
    min_us INTEGER NOT NULL, -- no row's ts_us is below
    max_us INTEGER NOT NULL  -- nor above
) STRICT;

-- One filter for the ids of each sealed segment.
CREATE TABLE id_filters (
    seg    INTEGER PRIMARY KEY REFERENCES segments (seg),
    format INTEGER NOT NULL,
    bits   BLOB    NOT NULL
) STRICT;

-- Rows of another stream that came again in the current one and took its numbers:
-- their rids are out of order.
CREATE TABLE restamps (
    seq INTEGER PRIMARY KEY,
    rid INTEGER NOT NULL
) STRICT;

-- How many messages each number sent.
CREATE TABLE senders (
    msisdn TEXT    PRIMARY KEY,
    rows   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The first of senders by rows descending, then msisdn: at most ten.
CREATE TABLE top_senders (
    msisdn TEXT    PRIMARY KEY,
    rows   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The rank index: how many rows lie between boundaries of an order, see ranks.go.
-- ord is 0 for all rows (value ''), 1 for those of a sender.
CREATE TABLE rank_groups (
    ord    INTEGER NOT NULL,
    value  TEXT    NOT NULL,
    low    BLOB    NOT NULL, -- the key at which the group begins, x'' for the first
    rows   INTEGER NOT NULL,
    counts BLOB    NOT NULL, -- rows of each bucket
    PRIMARY KEY (ord, value, low)
) STRICT, WITHOUT ROWID;
-- Apart from rank_groups, because every batch changes counts and few change bounds.
CREATE TABLE rank_bounds (
    ord    INTEGER NOT NULL,
    value  TEXT    NOT NULL,
    low    BLOB    NOT NULL,
    bounds BLOB    NOT NULL, -- the key at which each bucket begins
    PRIMARY KEY (ord, value, low)
) STRICT, WITHOUT ROWID;

-- Entries that can never be applied, kept aside.
CREATE TABLE dead_letters (
    stream     INTEGER NOT NULL REFERENCES streams (id),
    seq        INTEGER NOT NULL,
    created_at TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    data       BLOB    NOT NULL,
    PRIMARY KEY (stream, seq)
) STRICT;
