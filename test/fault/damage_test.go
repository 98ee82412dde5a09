package fault

import (
	"bytes"
	"database/sql"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/pkg/message"
	"sluice/test/harness"
	"sluice/test/load"
)

// The tests of this file failed with one row more expected than there was, with
// the sequences of other entries taken for those that were hit, and without the
// damage.

// damaged is a pipeline that took messages, applied them and was ended, so that
// something can be done to its files.
type damaged struct {
	t       *testing.T
	p       *harness.Pipeline
	payload load.Payload
	ledger  *load.Ledger
	last    uint64              // the stream's last sequence
	rows    map[string]storedAt // the database before the damage
}

// storedAt is what a rebuild must give again of a row.
type storedAt struct {
	seq       uint64
	createdAt string
}

// ends are the ways in which the programs end before the damage. Stopped well, the
// server believes its index.db afterwards; killed, it reads the blocks.
var ends = map[string]func(*harness.Process){
	"stopped": func(p *harness.Process) { p.Stop() },
	"killed":  func(p *harness.Process) { p.Kill() },
}

// eachEnd runs a test of damage for each way to end.
func eachEnd(t *testing.T, f func(t *testing.T, end func(*harness.Process))) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, end)
		})
	}
}

// Messages that fit one block, and those that fill three.
const (
	fewMessages, fewText   = 1000, 160
	manyMessages, manyText = 5000, 3000
)

// newDamaged posts count messages with texts up to so many characters, waits until
// they are applied, and ends both programs.
func newDamaged(t *testing.T, count, text int, end func(*harness.Process)) *damaged {
	t.Helper()
	p := harness.Start(t, harness.Options{
		// With a limit like this one a block is full at 4 MiB (nats-server's
		// stream.go, autoTuneFileStorageBlockSize).
		API:    map[string]string{"LOG_LEVEL": "WARNING", "STREAM_MAX_BYTES": strconv.Itoa(30 << 20)},
		Writer: map[string]string{"LOG_LEVEL": "WARNING"},
	})
	d := &damaged{t: t, p: p, payload: load.Payload{Text: text}, ledger: &load.Ledger{}}
	d.post(count)
	var state pipelineState
	p.Decode("/pipeline", &state)
	d.last = *state.Stream.Last
	end(p.Writer)
	end(p.API)
	d.rows = rows(t, p)
	t.Cleanup(func() {
		if !t.Failed() {
			survived(1, "damaged or deleted files")
		}
	})
	return d
}

// post posts messages and waits until everything acknowledged is in the database.
func (d *damaged) post(count int) {
	d.t.Helper()
	d.p.WaitApplied(post(d.t, d.p, load.Config{Payload: d.payload, Ledger: d.ledger}, count))
}

// rows reads where each message is in the database.
func rows(t *testing.T, p *harness.Pipeline) map[string]storedAt {
	t.Helper()
	db := p.Open()
	defer db.Close()
	found, err := db.Query(`SELECT message_id, seq, created_at FROM messages`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	all := map[string]storedAt{}
	for found.Next() {
		var id string
		var at storedAt
		if err := found.Scan(&id, &at.seq, &at.createdAt); err != nil {
			t.Fatal(err)
		}
		all[id] = at
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// audit compares the database with what was acknowledged, once everything that
// the stream holds has been applied.
func (d *damaged) audit() *harness.Audit {
	d.t.Helper()
	d.p.API.WaitReady()
	d.p.Writer.WaitReady()
	harness.Eventually(d.t, "no lag", func() bool {
		entries, _ := lag(d.t, d.p)
		return entries == 0
	})
	db := d.p.Open()
	defer db.Close()
	a, err := harness.Compare(d.t.Context(), db, d.payload, d.ledger)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

// wantAll checks that nothing is lost, that new messages are taken and applied,
// and that the stream alone gives the same rows again.
func (d *damaged) wantAll() {
	d.t.Helper()
	d.t.Log(d.p.WaitForAll(d.payload, d.ledger))
	d.post(500)
	d.t.Log(d.p.WaitForAll(d.payload, d.ledger))
	d.p.Writer.Stop()
	d.p.API.Stop()
	before := rows(d.t, d.p)
	d.removeDatabase()
	d.p.StartBoth()
	d.t.Log("from the stream alone:", d.p.WaitForAll(d.payload, d.ledger))
	d.wantSameRows(before)
}

// wantSameRows checks that each row is where it was.
func (d *damaged) wantSameRows(want map[string]storedAt) {
	d.t.Helper()
	got := rows(d.t, d.p)
	different := 0
	for id, at := range want {
		if got[id] != at {
			different++
			if different <= 3 {
				d.t.Errorf("%s was %+v, is %+v", id, at, got[id])
			}
		}
	}
	if different > 0 || len(got) != len(want) {
		d.t.Errorf("of %d rows %d are different; there are %d now", len(want), different, len(got))
	}
}

func (d *damaged) removeDatabase() {
	d.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(d.p.Database + suffix); err != nil && !os.IsNotExist(err) {
			d.t.Fatal(err)
		}
	}
}

// TestDamage_tornRecord: the process died while it wrote a record that nobody was
// told of. The rest of it is thrown away, said, and nothing is lost.
func TestDamage_tornRecord(t *testing.T) {
	t.Parallel()
	eachEnd(t, func(t *testing.T, end func(*harness.Process)) {
		for _, part := range []float64{0.01, 0.5, 0.99} {
			t.Run(strconv.FormatFloat(part, 'g', -1, 64), func(t *testing.T) {
				d := newDamaged(t, fewMessages, fewText, end)
				tail := lastOf(blockFiles(t, d.p))
				b, first := read(t, tail), records(t, tail)[0]
				whole := b[first.offset : first.offset+first.length]
				write(t, tail, slices.Concat(b, whole[:max(1, int(part*float64(len(whole))))]))
				d.p.StartBoth()
				d.wantAll()
				wantSaid(t, d.p.API, "WEBHOOKS", "blk")
			})
		}
	})
}

// TestDamage_tailLost: the end of the last block is gone, acknowledged messages
// with it. The database has them; the writer notices that its checkpoint is ahead
// of the stream, and gives them back to it.
func TestDamage_tailLost(t *testing.T) {
	t.Parallel()
	eachEnd(t, func(t *testing.T, end func(*harness.Process)) {
		d := newDamaged(t, fewMessages, fewText, end)
		d.cutTail()
		d.p.StartBoth()
		d.wantAll()
		wantSaid(t, d.p.Writer, "stream")
	})
}

// TestDamage_tailLostInBoth: the same, and the database is gone too. What stood
// in the lost tail nobody has any more; all else is there, and it is said.
func TestDamage_tailLostInBoth(t *testing.T) {
	t.Parallel()
	eachEnd(t, func(t *testing.T, end func(*harness.Process)) {
		d := newDamaged(t, fewMessages, fewText, end)
		lost := d.cutTail()
		d.removeDatabase()
		d.p.StartBoth()
		d.wantLost(lost)
		wantSaid(t, d.p.API, "WEBHOOKS", "blk")
	})
}

// cutTail cuts entries off the last block, the first of them in the middle, and
// returns their sequences.
func (d *damaged) cutTail() (lost []uint64) {
	d.t.Helper()
	tail := lastOf(blockFiles(d.t, d.p))
	all := records(d.t, tail)
	cut := all[len(all)-min(100, len(all)/2):]
	write(d.t, tail, read(d.t, tail)[:cut[0].offset+cut[0].length/2])
	for _, r := range cut {
		lost = append(lost, r.seq)
	}
	return lost
}

// wantLost checks that the messages missing from the database are among those at
// these sequences, that the others are there once, and that new ones are taken.
func (d *damaged) wantLost(lost []uint64) {
	d.t.Helper()
	d.post(500)
	a := d.audit()
	d.t.Logf("%d entries were hit: %v", len(lost), a)
	if len(a.Twice)+len(a.Wrong) > 0 {
		d.t.Error("rows are there twice or wrong")
	}
	if len(a.Missing) == 0 {
		d.t.Error("nothing is missing, so nothing was hit")
	}
	for _, id := range a.Missing {
		if !slices.Contains(lost, d.rows[id].seq) {
			d.t.Fatalf("%s at sequence %d is missing, which was not hit (%d..%d)", id, d.rows[id].seq, lost[0], lastOf(lost))
		}
	}
}

// TestDamage_byteInClosedBlock: a byte of an entry in a block that is long closed
// has changed. The database keeps its rows. After kill -9 the api reads the block
// and says what is lost, in its log, in /pipeline and as a metric. (Stopped well, the
// server believes its index, and nobody notices before the block is read again.)
func TestDamage_byteInClosedBlock(t *testing.T) {
	t.Parallel()
	eachEnd(t, func(t *testing.T, end func(*harness.Process)) {
		d := newDamaged(t, manyMessages, manyText, end)
		d.flipByte()
		d.p.StartBoth()
		d.post(500)
		a := d.audit()
		t.Log(a)
		if a.Lost() {
			t.Error("the database lost rows because the stream did")
		}
		if !strings.HasSuffix(t.Name(), "/killed") {
			return
		}
		wantSaid(t, d.p.API, "WEBHOOKS", "2.blk", "lost")
		wantSaid(t, d.p.API, "missing from the stream", "count")
		var state pipelineState
		d.p.Decode("/pipeline", &state)
		if state.Stream.Missing == 0 || d.p.APIMetrics()["sluice_stream_missing"] != float64(state.Stream.Missing) {
			t.Errorf("missing: %d in /pipeline, %v in /metrics", state.Stream.Missing, d.p.APIMetrics()["sluice_stream_missing"])
		}
	})
}

// TestDamage_byteInClosedBlockAlone: the same without a database. The rest of the
// stream is applied, and both programs say what is missing.
func TestDamage_byteInClosedBlockAlone(t *testing.T) {
	t.Parallel()
	eachEnd(t, func(t *testing.T, end func(*harness.Process)) {
		d := newDamaged(t, manyMessages, manyText, end)
		lost := d.flipByte()
		d.removeDatabase()
		d.p.StartBoth()
		d.wantLost(lost)
		wantSaid(t, d.p.Writer, "missing from the stream", "first", "last", "count")
	})
}

// flipByte changes one bit of an entry in the middle of the second block and
// returns the sequences of that block.
func (d *damaged) flipByte() (block []uint64) {
	d.t.Helper()
	files := blockFiles(d.t, d.p)
	if len(files) < 3 {
		d.t.Fatalf("the stream has only %d blocks", len(files))
	}
	all := records(d.t, files[1])
	r := all[len(all)/2]
	b := read(d.t, files[1])
	b[r.offset+r.length/2] ^= 0x10
	write(d.t, files[1], b)
	for _, r := range all {
		block = append(block, r.seq)
	}
	return block
}

// TestDamage_indexDeleted: without its index the server reads the blocks again.
// The stream is the same as before, to the sequence and the time.
func TestDamage_indexDeleted(t *testing.T) {
	t.Parallel()
	eachEnd(t, func(t *testing.T, end func(*harness.Process)) {
		d := newDamaged(t, manyMessages, manyText, end)
		for _, path := range streamFiles(t, d.p, "index.db") {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		d.removeDatabase()
		d.p.StartBoth()
		d.audit()
		d.wantSameRows(d.rows)
		d.wantAll()
	})
}

// TestDamage_indexGarbage: an index that says anything is not believed.
func TestDamage_indexGarbage(t *testing.T) {
	t.Parallel()
	eachEnd(t, func(t *testing.T, end func(*harness.Process)) {
		d := newDamaged(t, fewMessages, fewText, end)
		for _, path := range streamFiles(t, d.p, "index.db") {
			write(t, path, garbage(len(read(t, path))))
		}
		d.removeDatabase()
		d.p.StartBoth()
		d.audit()
		d.wantSameRows(d.rows)
		d.wantAll()
	})
}

// TestDamage_databaseDeleted: the stream gives the same rows again.
func TestDamage_databaseDeleted(t *testing.T) {
	t.Parallel()
	eachEnd(t, func(t *testing.T, end func(*harness.Process)) {
		d := newDamaged(t, fewMessages, fewText, end)
		d.removeDatabase()
		d.p.StartBoth()
		d.audit()
		d.wantSameRows(d.rows)
		d.wantAll()
	})
}

// TestDamage_databaseDeletedUnderTheWriter: the file goes while the writer has it
// open. What it writes would be seen by nobody, so it says so and begins anew, also
// when it has nothing to write.
//
// Idle, it failed when the writer looked at its file only to write.
func TestDamage_databaseDeletedUnderTheWriter(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*damaged){
		"busy": func(d *damaged) { d.post(500) },
		"idle": func(*damaged) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t, fewMessages, fewText, func(*harness.Process) {})
			d.removeDatabase()
			meanwhile(d)
			harness.Eventually(t, "the writer says so", func() bool { return saidTimes(t, d.p.Writer, "removed") > 0 })
			harness.Eventually(t, "a database", func() bool { _, err := os.Stat(d.p.Database); return err == nil })
			d.t.Log(d.p.WaitForAll(d.payload, d.ledger))
		})
	}
}

// TestDamage_databaseUnreadable: a file that is not a database, or not a whole
// one, stops the writer with one clear line; the file stays as it is, for somebody
// to look at. The api takes messages meanwhile. Once the file is moved away the
// stream gives everything again.
func TestDamage_databaseUnreadable(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(b []byte) []byte{
		"garbage":       func(b []byte) []byte { return garbage(len(b)) },
		"header":        func(b []byte) []byte { return slices.Concat(garbage(100), b[100:]) },
		"cut in half":   func(b []byte) []byte { return b[:len(b)/2] },
		"cut to little": func(b []byte) []byte { return b[:5000] },
		"pages":         func(b []byte) []byte { return slices.Concat(b[:4096], garbage(len(b)-4096)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t, fewMessages, fewText, ends["stopped"])
			d.foldLog()
			file := damage(read(t, d.p.Database))
			write(t, d.p.Database, file)
			d.p.API.Start()
			d.p.API.WaitStatus("/health/ready/ingest", 200)
			d.p.Writer.Start()
			if code := d.p.Writer.Wait(); code != 1 {
				t.Errorf("the writer ended with exit code %d", code)
			}
			wantSaid(t, d.p.Writer, d.p.Database)
			wantSaid(t, d.p.Writer, "move")
			if !bytes.Equal(read(t, d.p.Database), file) {
				t.Error("the writer changed the file")
			}
			if res := d.p.Get("/messages"); res.Status != 503 {
				t.Errorf("GET /messages: %d %s", res.Status, res.Body)
			}
			d.p.Post(extra())

			if err := os.Rename(d.p.Database, d.p.Database+".damaged"); err != nil {
				t.Fatal(err)
			}
			d.p.Writer.StartReady()
			d.audit()
			d.rows[extra().ID] = rows(t, d.p)[extra().ID]
			d.wantSameRows(d.rows)
			if _, ok := d.p.Message(extra().ID); !ok {
				t.Error("the message that was posted meanwhile is not there")
			}
		})
	}
}

// TestDamage_databaseLocked: somebody else, a tool or the api in its recovery of
// the log, holds the database while the writer starts. It waits.
func TestDamage_databaseLocked(t *testing.T) {
	t.Parallel()
	d := newDamaged(t, fewMessages, fewText, ends["killed"])
	db, err := sql.Open("sqlite", d.p.Database+"?_pragma=locking_mode(exclusive)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`BEGIN EXCLUSIVE`); err != nil {
		t.Fatal(err)
	}
	d.p.API.Start()
	d.p.Writer.Start()
	d.p.Writer.WaitStatus("/health/live", 200)
	moment(newRand(5), 500*time.Millisecond)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	d.p.Writer.WaitReady()
	d.wantAll()
}

// foldLog takes the database's write-ahead log into the file, which is then all
// there is. The log holds whole pages, and would repair some of the damage.
func (d *damaged) foldLog() {
	d.t.Helper()
	db, err := sql.Open("sqlite", d.p.Database)
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		d.t.Fatal(err)
	}
}

// TestDamage_databaseEmpty: an empty file is a new database.
func TestDamage_databaseEmpty(t *testing.T) {
	t.Parallel()
	d := newDamaged(t, fewMessages, fewText, ends["stopped"])
	d.removeDatabase()
	write(t, d.p.Database, nil)
	d.p.StartBoth()
	d.audit()
	d.wantSameRows(d.rows)
	d.wantAll()
}

// extra is a message that no ledger knows.
func extra() message.Message { return numbered(1 << 40) }

func lastOf[T any](s []T) T { return s[len(s)-1] }

// garbage is always the same.
func garbage(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
