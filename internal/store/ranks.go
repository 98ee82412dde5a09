package store

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

// The rank index knows how many rows lie before a place in a run without
// counting them. The keys of a run are cut into buckets by boundary keys; each
// bucket knows how many rows it has, and at most bucketRows of them. Buckets are
// packed into groups, one row of rank_groups and of rank_bounds each. A reader
// adds up groups, then buckets of one group, then counts inside one bucket: the
// cost depends neither on how many rows there are nor on how they lie, since
// boundaries are keys and keys are unique.
//
// The run of all rows is always indexed; that of a sender from the moment it has
// more than plainRows rows. Before that it is one bucket in all but name: the
// counters know its rows, and counting inside it is bounded as well.

// rankSizes are the limits of the rank index. Tests choose small ones.
type rankSizes struct {
	bucketRows   int64 // most rows of a bucket
	groupBuckets int   // most buckets of a group
	plainRows    int64 // most rows of a run that is not indexed
}

var defaultRankSizes = rankSizes{bucketRows: 512, groupBuckets: 256, plainRows: 4096}

// rankGroup is a piece of a run's rank index: consecutive buckets.
type rankGroup struct {
	rows   int64
	bounds []key   // the key at which each bucket begins; that of the first names the group
	counts []int64 // rows of each bucket

	countsChanged, boundsChanged bool // since the group was stored
}

// find returns the bucket that k belongs to.
func (g *rankGroup) find(k key) int {
	return sort.Search(len(g.bounds), func(i int) bool { return g.bounds[i] > k }) - 1
}

// runRanks is the rank index of one run, as the writer keeps it in memory.
type runRanks struct {
	run    run
	groups []*rankGroup

	// last is at or behind every row, when lastKnown. Rows behind it go to the end
	// of the last bucket, and appended remembers their keys until settle: with
	// them the bucket can be cut without reading rows.
	last      key
	lastKnown bool
	appended  []key

	changed bool // listed in rankIndex.changed
}

// find returns the group and bucket that k belongs to.
func (r *runRanks) find(k key) (*rankGroup, int) {
	g := r.groups[len(r.groups)-1]
	if k < g.bounds[0] {
		i := sort.Search(len(r.groups), func(i int) bool { return r.groups[i].bounds[0] > k })
		g = r.groups[i-1]
	}
	return g, g.find(k)
}

// add counts a row.
func (r *runRanks) add(k key) {
	if r.lastKnown && k > r.last {
		r.appended = append(r.appended, k)
		return
	}
	r.count(k, 1)
}

func (r *runRanks) count(k key, n int64) {
	g, b := r.find(k)
	g.counts[b] += n
	g.rows += n
	g.countsChanged = true
}

// rankIndex is the whole rank index in the writer's memory: the boundaries and
// counts, not the rows.
type rankIndex struct {
	sizes   rankSizes
	runs    map[run]*runRanks
	changed []*runRanks // since settle
}

// add counts a new row of a run, if the run is indexed.
func (x *rankIndex) add(r run, k key) {
	if ranks, ok := x.runs[r]; ok {
		x.touch(ranks)
		ranks.add(k)
	}
}

// remove takes a row of a run out of the count.
func (x *rankIndex) remove(r run, k key) {
	if ranks, ok := x.runs[r]; ok {
		x.touch(ranks)
		ranks.count(k, -1)
	}
}

func (x *rankIndex) touch(r *runRanks) {
	if !r.changed {
		r.changed = true
		x.changed = append(x.changed, r)
	}
}

// grown tells how many rows a run has, those of the batch included: from a
// certain size on it is worth an index.
func (x *rankIndex) grown(r run, rows int64) {
	if !x.indexed(r) && rows > x.sizes.plainRows {
		x.start(r, rows)
	}
}

// indexed reports whether a run is indexed.
func (x *rankIndex) indexed(r run) bool {
	_, ok := x.runs[r]
	return ok
}

// start begins to index a run that has rows by now.
func (x *rankIndex) start(r run, rows int64) {
	g := &rankGroup{rows: rows, bounds: []key{""}, counts: []int64{rows}, countsChanged: true, boundsChanged: true}
	x.runs[r] = &runRanks{run: r, groups: []*rankGroup{g}, lastKnown: rows == 0}
	x.touch(x.runs[r])
}

// settle cuts the buckets that have grown too large and stores what has changed.
// The rows counted must be in the database by now, in the same transaction.
func (x *rankIndex) settle(c *conn) error {
	for _, r := range x.changed {
		if err := x.cut(c, r); err != nil {
			return err
		}
		if err := r.store(c); err != nil {
			return err
		}
		r.changed = false
	}
	x.changed = x.changed[:0]
	return nil
}

func (x *rankIndex) cut(c *conn, r *runRanks) error {
	x.takeAppended(r)
	for i := 0; i < len(r.groups); i++ {
		g := r.groups[i]
		if !g.countsChanged {
			continue
		}
		end := endKey
		if i+1 < len(r.groups) {
			end = r.groups[i+1].bounds[0]
		}
		if err := x.cutGroup(c, r, g, end); err != nil {
			return err
		}
		for len(g.bounds) > x.sizes.groupBuckets {
			g = g.cutTail(x.sizes.groupBuckets / 2)
			i++
			r.groups = slices.Insert(r.groups, i, g)
		}
	}
	return nil
}

// takeAppended counts the rows behind all others, cutting the end into buckets
// three quarters full: room for rows that arrive late.
func (x *rankIndex) takeAppended(r *runRanks) {
	if len(r.appended) == 0 {
		return
	}
	slices.Sort(r.appended)
	full := max(1, x.sizes.bucketRows*3/4)
	g := r.groups[len(r.groups)-1]
	for _, k := range r.appended {
		b := len(g.counts) - 1
		if g.counts[b] >= full {
			g.bounds, g.counts = append(g.bounds, k), append(g.counts, 0)
			g.boundsChanged = true
			b++
		}
		g.counts[b]++
	}
	g.rows += int64(len(r.appended))
	g.countsChanged = true
	r.last = r.appended[len(r.appended)-1]
	r.appended = r.appended[:0]
}

// cutGroup halves buckets of g, which ends at end, until none is too large.
func (x *rankIndex) cutGroup(c *conn, r *runRanks, g *rankGroup, end key) error {
	for b := 0; b < len(g.counts); b++ {
		for g.counts[b] > x.sizes.bucketRows {
			hi := end
			if b+1 < len(g.bounds) {
				hi = g.bounds[b+1]
			}
			half := g.counts[b] / 2
			middle, ok, err := c.nth(r.run, span{g.bounds[b], hi}, half)
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("%w: the rank index counts rows that are not there", ErrDamaged)
			}
			g.bounds = slices.Insert(g.bounds, b+1, middle)
			g.counts = slices.Insert(g.counts, b+1, g.counts[b]-half)
			g.counts[b] = half
			g.boundsChanged = true
		}
	}
	if g == r.groups[len(r.groups)-1] && g.boundsChanged && !r.lastKnown {
		return r.findLast(c)
	}
	return nil
}

// findLast reads the last key of the run. A run that was just started or loaded
// does not know it.
func (r *runRanks) findLast(c *conn) error {
	g := r.groups[len(r.groups)-1]
	b := len(g.counts) - 1
	last, ok, err := c.nth(r.run, span{g.bounds[b], endKey}, g.counts[b]-1)
	r.last, r.lastKnown = last, ok
	return err
}

// cutTail leaves n buckets in g and returns a group of the rest.
func (g *rankGroup) cutTail(n int) *rankGroup {
	tail := &rankGroup{
		bounds:        slices.Clone(g.bounds[n:]),
		counts:        slices.Clone(g.counts[n:]),
		countsChanged: true, boundsChanged: true,
	}
	for _, rows := range tail.counts {
		tail.rows += rows
	}
	g.bounds, g.counts = g.bounds[:n:n], g.counts[:n:n]
	g.rows -= tail.rows
	g.countsChanged, g.boundsChanged = true, true
	return tail
}

func (r *runRanks) store(c *conn) error {
	for _, g := range r.groups {
		low := []byte(g.bounds[0])
		if g.countsChanged {
			err := c.exec(`INSERT INTO rank_groups (ord, value, low, rows, counts) VALUES (?1, ?2, ?3, ?4, ?5)
				ON CONFLICT DO UPDATE SET rows = ?4, counts = ?5`,
				r.run.order.id, r.run.value, low, g.rows, encodeCounts(g.counts))
			if err != nil {
				return err
			}
		}
		if g.boundsChanged {
			err := c.exec(`INSERT INTO rank_bounds (ord, value, low, bounds) VALUES (?1, ?2, ?3, ?4)
				ON CONFLICT DO UPDATE SET bounds = ?4`,
				r.run.order.id, r.run.value, low, encodeKeys(g.bounds))
			if err != nil {
				return err
			}
		}
		g.countsChanged, g.boundsChanged = false, false
	}
	return nil
}

// load reads the rank index from the database.
func (x *rankIndex) load(c *conn) error {
	x.runs, x.changed = make(map[run]*runRanks), nil
	err := c.query(`SELECT ord, value, rows, counts, bounds
		FROM rank_groups JOIN rank_bounds USING (ord, value, low) ORDER BY ord, value, low`,
		func(row []driver.Value) error {
			g, err := decodeGroup(blob(row[3]), blob(row[4]))
			if err != nil {
				return err
			}
			ord := integer(row[0])
			if ord < 0 || ord >= int64(len(orders)) {
				return fmt.Errorf("%w: rank index of order %d", ErrDamaged, ord)
			}
			r := run{orders[ord], str(row[1])}
			if x.runs[r] == nil {
				x.runs[r] = &runRanks{run: r}
			}
			x.runs[r].groups = append(x.runs[r].groups, g)
			return nil
		})
	if err == nil && x.runs[allRows] == nil {
		x.start(allRows, 0)
	}
	return err
}

// decodeGroup undoes encodeCounts and encodeKeys.
func decodeGroup(counts, bounds []byte) (*rankGroup, error) {
	g := &rankGroup{}
	for len(counts) > 0 {
		rows, n := binary.Uvarint(counts)
		if n <= 0 {
			break
		}
		g.counts = append(g.counts, int64(rows))
		g.rows += int64(rows)
		counts = counts[n:]
	}
	for len(bounds) > 0 {
		size, n := binary.Uvarint(bounds)
		if n <= 0 || size > uint64(len(bounds)-n) {
			break
		}
		g.bounds = append(g.bounds, key(bounds[n:n+int(size)]))
		bounds = bounds[n+int(size):]
	}
	if len(counts) != 0 || len(bounds) != 0 || len(g.bounds) == 0 || len(g.bounds) != len(g.counts) {
		return nil, fmt.Errorf("%w: a group of the rank index does not decode", ErrDamaged)
	}
	return g, nil
}

func encodeCounts(counts []int64) []byte {
	b := make([]byte, 0, 2*len(counts))
	for _, n := range counts {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func encodeKeys(keys []key) []byte {
	b := []byte{}
	for _, k := range keys {
		b = binary.AppendUvarint(b, uint64(len(k)))
		b = append(b, k...)
	}
	return b
}
