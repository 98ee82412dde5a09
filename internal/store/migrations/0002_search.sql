-- The search index: which texts contain which three bytes, and where, and which
-- rows a number sent or received. It follows behind the rows, block by block; rows
-- behind the last block are searched one by one. ../searchblock.go tells what the
-- blobs hold.

CREATE TABLE search_blocks (
    block       INTEGER PRIMARY KEY, -- ascending with the rids
    first_rid   INTEGER NOT NULL,    -- the block has the rows from here on,
    end_rid     INTEGER NOT NULL,    -- before here
    min_us      INTEGER NOT NULL,    -- no row's ts_us is below
    max_us      INTEGER NOT NULL,    -- nor above
    unicode     TEXT    NOT NULL,    -- version of the case folding; a block of another version is not used
    offset_bits INTEGER NOT NULL,    -- low bits of a place, the others are the row
    rids        BLOB    NOT NULL,    -- the rows in order of instant and id: rid - first_rid of each, 4 bytes
    times       BLOB    NOT NULL     -- ts_us of each, 8 bytes
) STRICT;

CREATE TABLE search_grams (
    id     INTEGER PRIMARY KEY, -- block << 24 | the three bytes
    places BLOB    NOT NULL     -- where in the block's texts they are
) STRICT;

CREATE TABLE search_numbers (
    block   INTEGER NOT NULL,
    role    INTEGER NOT NULL, -- 0 for senders, 1 for recipients
    low     TEXT    NOT NULL, -- the first number in numbers
    numbers BLOB    NOT NULL, -- numbers in order and the rows of each
    PRIMARY KEY (block, role, low)
) STRICT, WITHOUT ROWID;

-- How often rows were removed. A reader that remembers texts forgets them then.
ALTER TABLE state ADD COLUMN rewinds INTEGER NOT NULL DEFAULT 0;
