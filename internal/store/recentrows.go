package store

import "slices"

// recentRows are the rows that were applied last, kept for the search index: to
// read them from the database again takes a third of what a block costs.
type recentRows struct {
	first int64 // no row from here on is missing
	rows  []textRow
	bytes int // of their texts
}

// restart forgets the rows; those from next on are to come.
func (t *recentRows) restart(next int64) { *t = recentRows{first: next} }

// add keeps a row, and starts afresh behind too many of them: the index is far
// behind then and reads what it needs.
func (t *recentRows) add(r textRow, limits searchConfig) {
	if len(t.rows) >= 2*limits.blockRows || t.bytes >= 2*limits.blockBytes {
		t.restart(r.rid)
	}
	t.rows = append(t.rows, r)
	t.bytes += len(r.text)
}

// from returns the rows from rid on, nil unless all are there. They are shared.
func (t *recentRows) from(rid int64) []textRow {
	if rid < t.first {
		return nil
	}
	return t.rows[t.find(rid):]
}

// forget drops the rows before rid.
func (t *recentRows) forget(rid int64) {
	if rid <= t.first {
		return
	}
	n := t.find(rid)
	for _, r := range t.rows[:n] {
		t.bytes -= len(r.text)
	}
	t.first, t.rows = rid, slices.Clone(t.rows[n:]) // lets go of the others
}

func (t *recentRows) find(rid int64) int {
	i, _ := slices.BinarySearchFunc(t.rows, rid, func(r textRow, rid int64) int { return int(r.rid - rid) })
	return i
}
