package store

import (
	"database/sql/driver"
	"fmt"
	"sort"
)

// rankView is the rank index of one run as a reader sees it: the groups' rows,
// and the buckets of those groups that were asked for.
type rankView struct {
	s      *snapshot
	run    run
	groups []groupHead
	total  int64
}

// groupHead is a group of buckets, decoded when it is first needed.
type groupHead struct {
	low    key
	rows   int64
	before int64 // rows of the run before the group
	*rankGroup
}

// bucket is a stretch of a run whose rows are counted.
type bucket struct {
	span
	before int64 // rows of the run before the bucket
	rows   int64
}

// ranks returns the rank index of r. A run without one is a single bucket, whose
// rows the counters know.
func (s *snapshot) ranks(r run) (*rankView, error) {
	v := &rankView{s: s, run: r}
	err := s.query("SELECT low, rows FROM rank_groups WHERE ord = ? AND value = ? ORDER BY low",
		func(row []driver.Value) error {
			v.groups = append(v.groups, groupHead{low: key(blob(row[0])), rows: integer(row[1]), before: v.total})
			v.total += integer(row[1])
			return nil
		}, r.order.id, r.value)
	if err != nil || len(v.groups) > 0 {
		return v, err
	}
	if v.total, err = s.rowsOf(r); err != nil {
		return nil, err
	}
	v.groups = []groupHead{{rows: v.total, rankGroup: &rankGroup{bounds: []key{""}, counts: []int64{v.total}}}}
	return v, nil
}

// rowsOf returns the rows of a run from its counter.
func (s *snapshot) rowsOf(r run) (int64, error) {
	if r == allRows {
		return s.state.messages, nil
	}
	row, err := s.one("SELECT rows FROM senders WHERE msisdn = ?", r.value)
	if err != nil || row == nil {
		return 0, err
	}
	return integer(row[0]), nil
}

// rank returns how many rows of the run lie before k.
func (v *rankView) rank(k key) (int64, error) {
	g := sort.Search(len(v.groups), func(i int) bool { return v.groups[i].low > k }) - 1
	if k >= endKey {
		return v.total, nil
	}
	if err := v.decode(g); err != nil {
		return 0, err
	}
	b := v.bucket(g, v.groups[g].find(k))
	if k == b.lo || b.rows == 0 {
		return b.before, nil
	}
	inside, err := v.s.count(v.run, span{b.lo, k})
	return b.before + inside, err
}

// at returns the bucket that holds the row with n rows before it; the last one
// when there is no such row.
func (v *rankView) at(n int64) (bucket, error) {
	g := sort.Search(len(v.groups), func(i int) bool { return v.groups[i].before > n }) - 1
	if err := v.decode(g); err != nil {
		return bucket{}, err
	}
	before := v.groups[g].before
	for i, rows := range v.groups[g].counts {
		if before += rows; before > n {
			return v.bucket(g, i), nil
		}
	}
	return v.bucket(g, len(v.groups[g].counts)-1), nil
}

// bucket returns bucket i of group g, which must be decoded.
func (v *rankView) bucket(g, i int) bucket {
	head := v.groups[g]
	b := bucket{span{head.bounds[i], endKey}, head.before, head.counts[i]}
	for _, rows := range head.counts[:i] {
		b.before += rows
	}
	switch {
	case i+1 < len(head.bounds):
		b.hi = head.bounds[i+1]
	case g+1 < len(v.groups):
		b.hi = v.groups[g+1].low
	}
	return b
}

func (v *rankView) decode(g int) error {
	head := &v.groups[g]
	if head.rankGroup != nil {
		return nil
	}
	row, err := v.s.one(`SELECT counts, bounds FROM rank_groups JOIN rank_bounds USING (ord, value, low)
		WHERE ord = ? AND value = ? AND low = ?`, v.run.order.id, v.run.value, []byte(head.low))
	if err != nil {
		return err
	}
	if row == nil {
		return fmt.Errorf("%w: a group of the rank index has no bounds", ErrDamaged)
	}
	head.rankGroup, err = decodeGroup(blob(row[0]), blob(row[1]))
	return err
}
