//go:build linux

package fault

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice/test/fault/disk"
	"sluice/test/harness"
	"sluice/test/load"
)

var cuts = flag.Int("cuts", 0, "how often TestPowerCut cuts the power, for each rule, default 8 and with -long 100")

// TestPowerCut runs both programs on a disk that forgets what was not synced,
// cuts the power at random moments, and starts them on what survived: several
// times in a row on one store, by each rule and fate. In some of the chains the
// stream is trimmed all the while.
func TestPowerCut(t *testing.T) {
	wanted := *cuts
	if wanted == 0 {
		wanted = shortOrLong(8, 100)
	}
	all := &figures{}
	for i, rule := range disk.Rules {
		t.Run(rule.String(), func(t *testing.T) {
			sum := &figures{}
			for chain := uint64(0); sum.cuts < wanted; chain++ {
				rng := newRand(100*uint64(i) + chain)
				t.Run(fmt.Sprint("chain", chain), func(t *testing.T) {
					c := newPowerChain(t, rng, rule, chain, powerOptions{trimmed: chain%3 == 2})
					defer c.close()
					links := min(1+rng.IntN(4), wanted-sum.cuts)
					for range links {
						c.link(t)
					}
					sum.cuts += links
					c.check(t)
					survived(links, "power cuts by the rule "+rule.String())
					sum.acked += c.load.Ledger.Len()
					sum.rollOvers += c.blocks(t) - 1
					sum.trimmed += c.trimmed(t)
				})
				if t.Failed() {
					break
				}
			}
			t.Logf("by the rule %s: %v", rule, sum)
			all.add(sum)
		})
	}
	if !t.Failed() {
		t.Logf("power cuts survived: %v, lost 0, doubled 0, seed %d", all, *seed)
	}
}

// figures sum up the cuts by one rule.
type figures struct {
	cuts      int
	acked     int
	rollOvers int
	trimmed   uint64
}

func (f *figures) add(g *figures) {
	f.cuts += g.cuts
	f.acked += g.acked
	f.rollOvers += g.rollOvers
	f.trimmed += g.trimmed
}

func (f *figures) String() string {
	return fmt.Sprintf("%d cuts, %d blocks rolled over, %d entries trimmed, %d messages checked", f.cuts, f.rollOvers, f.trimmed, f.acked)
}

// powerChain is a run of power cuts on one store.
type powerChain struct {
	rng   *rand.Rand
	disk  *disk.Disk
	p     *harness.Pipeline
	load  load.Config
	seeds uint64

	before int // acknowledged before the link under way
}

// powerOptions change a chain.
type powerOptions struct {
	env     map[string]string // of the api
	program string            // the api, when it is another than the usual
	trimmed bool              // blocks that the writer has are removed at once
}

// Messages with so many characters, 4 bytes each, fill a block with 600 of them.
// A link posts at most so many, for a chain of four must not fill the stream.
const longText, mostLong = 1750, 900

func newPowerChain(t *testing.T, rng *rand.Rand, rule disk.Rule, chain uint64, o powerOptions) *powerChain {
	t.Helper()
	dir := t.TempDir()
	delay := time.Duration(rng.IntN(3)) * time.Millisecond
	d, err := disk.Mount(disk.Config{Dir: dir, Rule: rule, SyncDelay: delay})
	if errors.Is(err, disk.ErrUnsupported) {
		notProven(t, "no power cuts on this machine: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	// A limit between 128 kB and 32 MB makes the server fill blocks of 4 MB
	// instead of 8 (stream.go, autoTuneFileStorageBlockSize), which padded texts do
	// several times in a chain.
	api := map[string]string{"LOG_LEVEL": "WARNING", "STREAM_MAX_BYTES": "31000000"}
	padding, count := 0, uint64(0)
	if rng.IntN(2) == 0 || o.trimmed { // else there are no whole blocks to trim
		padding, count = longText, mostLong
	}
	if o.trimmed {
		maps.Copy(api, map[string]string{"STREAM_RETENTION": "1ms", "TRIM_INTERVAL": "20ms", "TRIM_SETTLE": "20ms"})
	}
	maps.Copy(api, o.env)
	p := harness.New(t, harness.Options{
		// Below the mount point, since that is not part of what survives; and the
		// programs run elsewhere, as a fork into a FUSE directory can hang this
		// process.
		Dir: filepath.Join(dir, "data"), WorkDir: t.TempDir(),
		API: api, Writer: map[string]string{"LOG_LEVEL": "WARNING"},
	})
	if o.program != "" {
		p.API.Become(o.program)
	}
	return &powerChain{rng: rng, disk: d, p: p, load: load.Config{
		Connections: 1 + rng.IntN(32),
		Payload:     load.Payload{Seed: 1000**seed + chain, Padding: padding}, Count: count,
		Ledger: &load.Ledger{},
	}}
}

// link starts the programs, posts messages, and cuts the power.
func (c *powerChain) link(t *testing.T) {
	t.Helper()
	c.before = c.load.Ledger.Len()
	s := send(t, c.p, c.load)
	c.p.API.Start()
	c.p.Writer.Start()
	if c.rng.IntN(5) > 0 { // else at a moment of the start
		c.waitFor(t, 1)
		moment(c.rng, 600*time.Millisecond)
	} else {
		moment(c.rng, 300*time.Millisecond)
	}
	if c.rng.IntN(4) == 0 { // a kill before the cut: its data wait in the kernel
		c.p.API.Kill()
		if c.rng.IntN(2) == 0 {
			c.p.API.Start()
			c.waitFor(t, 1)
			moment(c.rng, 100*time.Millisecond)
		}
	}
	c.cut(t, s)
}

// cut cuts the power under both programs, ends the senders, if there are any, and
// restores the disk as it was left.
func (c *powerChain) cut(t *testing.T, s *senders) {
	t.Helper()
	c.seeds++
	loss, err := c.disk.Cut(disk.FateOf(c.rng.Uint64()), c.rng.Uint64())
	if err != nil {
		t.Fatal(err)
	}
	c.killAll()
	if s != nil {
		s.stop()
	}
	t.Logf("cut %d: %v; %d acknowledged so far", c.seeds, loss, c.load.Ledger.Len())
	if err := c.disk.Restore(); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits for that many more acknowledgements, or for the link's last.
func (c *powerChain) waitFor(t *testing.T, more int) {
	t.Helper()
	want := c.load.Ledger.Len() + more
	if c.load.Count > 0 {
		want = min(want, c.before+int(c.load.Count))
	}
	harness.Eventually(t, "acknowledgements", func() bool { return c.load.Ledger.Len() >= want })
}

func (c *powerChain) startAll(t *testing.T) {
	t.Helper()
	c.p.StartBoth()
}

// check compares ledger and database, database and stream, and unless the stream
// was trimmed the ledger with a database that is made anew from the stream.
func (c *powerChain) check(t *testing.T) {
	t.Helper()
	c.startAll(t)
	audit := c.audit(t)
	audit.Count()
	t.Logf("%v", audit)
	if audit.Lost() {
		t.Fatal("acknowledged messages were lost or doubled")
	}
	c.p.MustRun("verify")
	if c.trimmed(t) > 0 {
		return
	}
	before := c.rows(t)

	files, err := filepath.Glob(c.p.Database + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	c.p.Writer.StartReady()
	if audit := c.audit(t); audit.Lost() {
		t.Fatalf("a new database is not complete: %v", audit)
	}
	if after := c.rows(t); !slices.Equal(before, after) {
		t.Fatalf("a new database differs from the old one: %d rows, then %d; the first difference is %s",
			len(before), len(after), firstDifference(before, after))
	}
}

// audit waits until the database is at the stream's end, stops the writer and
// compares. It reads a copy: this process must not map files on its own disk.
func (c *powerChain) audit(t *testing.T) *harness.Audit {
	t.Helper()
	seq := c.p.Post(load.Payload{Seed: 1 << 40}.WithDefaults().Message(0)) // the same each time: one row
	c.p.WaitApplied(seq)
	if code := c.p.Writer.Stop(); code != 0 {
		t.Errorf("the writer ended with exit code %d", code)
	}
	db := harness.OpenDatabase(t, c.p.CopyDatabase(t.TempDir()))
	defer db.Close()
	audit, err := harness.Compare(context.WithoutCancel(t.Context()), db, c.load.Payload, c.load.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	return audit
}

// rows returns everything in the database that a new one must have too.
func (c *powerChain) rows(t *testing.T) []string {
	t.Helper()
	db := harness.OpenDatabase(t, c.p.CopyDatabase(t.TempDir()))
	defer db.Close()
	return harness.Texts(t, db, `SELECT concat_ws('|', message_id, from_msisdn, to_msisdn, ts, quote(text), created_at, seq, source) FROM messages ORDER BY 1`)
}

// trimmed returns how many entries the stream does not hold any more.
func (c *powerChain) trimmed(t *testing.T) uint64 {
	t.Helper()
	var state pipelineState
	c.p.Decode("/pipeline", &state)
	if state.Stream.First == nil {
		t.Fatal("the stream is away")
	}
	return *state.Stream.First - 1
}

// blocks returns how many block files the stream has.
func (c *powerChain) blocks(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.p.Dir, "jetstream/jetstream/*/streams/*/msgs/*.blk"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no block files: %v", err)
	}
	return len(files)
}

func firstDifference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%q against %q", a[i], b[i])
		}
	}
	return "at the end of the shorter"
}

func (c *powerChain) close() {
	c.killAll()
	_ = c.disk.Close()
}

// killAll ends the programs that run.
func (c *powerChain) killAll() {
	for _, p := range []*harness.Process{c.p.API, c.p.Writer} {
		if p.Running() {
			p.Kill()
		}
	}
}
