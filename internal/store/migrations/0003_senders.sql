-- What senders tell beside a message's fields. Plain messages have none of it, so
-- that it costs them nothing.

-- What the sender of a message sent, where the message's columns do not say it all.
CREATE TABLE raws (
    rid INTEGER PRIMARY KEY REFERENCES messages (rid),
    raw TEXT NOT NULL -- JSON
) STRICT;

-- What became of messages on their way: sent, delivered, read, failed, … A status
-- may come before its message, and without one.
CREATE TABLE statuses (
    source     TEXT    NOT NULL,
    message_id TEXT    NOT NULL,
    ts         TEXT    NOT NULL, -- as the sender wrote it, '' when it gave none
    status     TEXT    NOT NULL,
    recipient  TEXT    NOT NULL,
    raw        TEXT    NOT NULL, -- JSON
    created_at TEXT    NOT NULL, -- the stream's time of acceptance
    seq        INTEGER NOT NULL,
    stream     INTEGER NOT NULL REFERENCES streams (id),
    PRIMARY KEY (source, message_id, ts, status, recipient)
) STRICT, WITHOUT ROWID;

-- What a rewind removes and gives back.
CREATE INDEX statuses_seq ON statuses (stream, seq);
