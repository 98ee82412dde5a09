package store

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// dump returns every row of a query, one line each.
func dump(t testing.TB, c *conn, sql string, args ...driver.Value) []string {
	t.Helper()
	var lines []string
	err := c.query(sql, func(row []driver.Value) error {
		lines = append(lines, fmt.Sprintf("%q", row))
		return nil
	}, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return lines
}

// same fails unless two queries give the same rows.
func same(t testing.TB, c *conn, what, got, want string) {
	t.Helper()
	if g, w := dump(t, c, got), dump(t, c, want); !slices.Equal(g, w) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(g, "\n     "), strings.Join(w, "\n     "))
	}
}

// sameIn is same in a store whose indexer may be at work.
func sameIn(t testing.TB, s *Store, what, got, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	same(t, s.conn, what, got, want)
}

// checkDatabase fails unless everything that is derived from the rows agrees
// with them, in the database and in the store's memory.
func checkDatabase(t testing.TB, s *Store) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn
	same(t, c, "totals", "SELECT messages, senders FROM state",
		"SELECT count(*), count(DISTINCT from_msisdn) FROM messages")
	same(t, c, "senders", "SELECT msisdn, rows FROM senders ORDER BY 1",
		"SELECT from_msisdn, count(*) FROM messages GROUP BY 1 ORDER BY 1")
	same(t, c, "top senders", "SELECT msisdn, rows FROM top_senders ORDER BY rows DESC, msisdn",
		"SELECT msisdn, rows FROM senders ORDER BY rows DESC, msisdn LIMIT 10")
	same(t, c, "segments", "SELECT seg, rows FROM segments ORDER BY 1",
		"SELECT seg, count(*) FROM messages GROUP BY seg ORDER BY 1")
	same(t, c, "instants outside their segment's bounds",
		"SELECT rid FROM messages JOIN segments USING (seg) WHERE ts_us < min_us OR ts_us > max_us", "SELECT 1 WHERE 0")
	same(t, c, "rows that are out of order",
		`SELECT a.rid FROM messages a JOIN messages b ON b.rid = a.rid + 1 JOIN state JOIN streams ON streams.id = state.stream
		WHERE a.rid >= first_rid AND (b.seq <= a.seq OR a.stream <> b.stream)`, "SELECT 1 WHERE 0")
	same(t, c, "restamps", "SELECT seq, rid FROM restamps ORDER BY 1",
		`SELECT m.seq, rid FROM messages m JOIN state USING (stream) JOIN streams ON streams.id = state.stream
		WHERE rid < first_rid ORDER BY 1`)
	same(t, c, "ids that are twice in", "SELECT message_id FROM messages GROUP BY 1 HAVING count(*) > 1", "SELECT 1 WHERE 0")
	same(t, c, "raws without a message", "SELECT rid FROM raws WHERE rid NOT IN (SELECT rid FROM messages)", "SELECT 1 WHERE 0")
	same(t, c, "search blocks that do not follow each other",
		"SELECT block FROM search_blocks b WHERE block > 1 AND first_rid <> (SELECT end_rid FROM search_blocks WHERE block = b.block - 1)",
		"SELECT 1 WHERE 0")
	checkRanks(t, s)
	checkFilters(t, s)
	checkGramFilters(t, s)
	checkMemory(t, s)
	same(t, c, "integrity", "PRAGMA integrity_check", "SELECT 'ok'")
}

// checkRanks compares the rank index with counts of the rows.
func checkRanks(t testing.TB, s *Store) {
	t.Helper()
	for r, ranks := range s.ranks.runs {
		var total int64
		for i, g := range ranks.groups {
			if n := len(g.bounds); n > s.config.sizes.groupBuckets {
				t.Errorf("run %v: group of %d buckets", r, n)
			}
			for b, lo := range g.bounds {
				hi := endKey
				if b+1 < len(g.bounds) {
					hi = g.bounds[b+1]
				} else if i+1 < len(ranks.groups) {
					hi = ranks.groups[i+1].bounds[0]
				}
				if lo >= hi {
					t.Errorf("run %v: bucket from %q to %q", r, lo, hi)
				}
				if g.counts[b] > s.config.sizes.bucketRows {
					t.Errorf("run %v: bucket of %d rows", r, g.counts[b])
				}
				n, err := s.conn.count(r, span{lo, hi})
				if err != nil {
					t.Fatal(err)
				}
				if n != g.counts[b] {
					t.Errorf("run %v: bucket from %q has %d rows, counted as %d", r, lo, n, g.counts[b])
				}
				total += n
			}
		}
		want := "SELECT count(*) FROM messages WHERE ?1 = ''"
		if r.order.column != "" {
			want = "SELECT count(*) FROM messages WHERE " + r.order.column + " = ?1"
		}
		if n := dump(t, s.conn, want, r.value)[0]; n != fmt.Sprintf("%q", []driver.Value{total}) {
			t.Errorf("run %v: %d rows, not %s", r, total, n)
		}
	}
	same(t, s.conn, "senders without ranks", fmt.Sprintf(`SELECT msisdn FROM senders WHERE rows > %d AND NOT EXISTS (
		SELECT 1 FROM rank_groups WHERE value = msisdn)`, s.config.sizes.plainRows), "SELECT 1 WHERE 0")
}

// checkFilters asks for every row whether its segment is among those that may have it.
func checkFilters(t testing.TB, s *Store) {
	t.Helper()
	err := s.conn.query("SELECT seg, message_id FROM messages", func(row []driver.Value) error {
		if !slices.Contains(s.segments.perhaps([]uint64{s.segments.hash(str(row[1]))})[0], integer(row[0])) {
			t.Errorf("segment %d does not know its id %q", row[0], row[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkGramFilters asks the filter of each search block, if it has one, for its grams.
func checkGramFilters(t testing.TB, s *Store) {
	t.Helper()
	var filter *gramFilter
	of := int64(-1)
	err := s.conn.query("SELECT id FROM search_grams ORDER BY id", func(row []driver.Value) error {
		id := integer(row[0])
		block, gram := id>>gramBits, uint64(id&(1<<gramBits-1))
		if block != of {
			list, err := s.conn.gramList(block, filterGram)
			if err != nil {
				return err
			}
			filter, of = decodeGramFilter(list), block
		}
		if filter != nil && gram != filterGram && !filter.Contains(gram) {
			t.Errorf("search block %d does not know its gram %06x", block, gram)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkMemory compares what the store has in memory with what it would load.
func checkMemory(t testing.TB, s *Store) {
	t.Helper()
	loaded := Store{config: s.config, conn: s.conn, ranks: rankIndex{sizes: s.config.sizes}}
	if err := loaded.load(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.state, loaded.state) {
		t.Errorf("state %+v, loaded %+v", s.state, loaded.state)
	}
	if s.segments.openSeg != loaded.segments.openSeg || !maps.Equal(s.segments.open, loaded.segments.open) ||
		!reflect.DeepEqual(s.segments.filters, loaded.segments.filters) {
		t.Error("segments differ from what would be loaded")
	}
	if !slices.Equal(s.top.list, loaded.top.list) {
		t.Errorf("top senders %v, loaded %v", s.top.list, loaded.top.list)
	}
	if len(s.ranks.runs) != len(loaded.ranks.runs) {
		t.Errorf("%d runs with ranks, loaded %d", len(s.ranks.runs), len(loaded.ranks.runs))
	}
	for r, ranks := range loaded.ranks.runs {
		if !reflect.DeepEqual(s.ranks.runs[r].groups, ranks.groups) {
			t.Errorf("ranks of run %v differ from what would be loaded", r)
		}
	}
}

// contents are the tables that must not depend on how entries were batched.
func contents(t testing.TB, s *Store) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, sql := range []string{
		"SELECT * FROM messages ORDER BY rid", "SELECT * FROM segments ORDER BY seg",
		"SELECT seq, msg_id, applied_at, next_rid, messages, senders, inserted, duplicates, conflicts, dead_letters FROM state",
		"SELECT * FROM senders ORDER BY msisdn",
		"SELECT * FROM top_senders ORDER BY msisdn", "SELECT * FROM dead_letters ORDER BY stream, seq",
		"SELECT seg FROM id_filters ORDER BY seg", "SELECT * FROM restamps ORDER BY seq",
		"SELECT ord, value, sum(rows) FROM rank_groups GROUP BY ord, value ORDER BY ord, value",
	} {
		lines = append(append(lines, sql), dump(t, s.conn, sql)...)
	}
	return lines
}
