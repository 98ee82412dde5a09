package writer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/writer"
	"sluice/pkg/message"
)

func TestRun_appliesInOrderEachOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stream.accept("a", "one")
		w.stream.accept("b", "two")
		w.stream.accept("a", "one")
		w.stream.accept("a", "another")
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("1:a=one", "2:b=two")
		for name, want := range map[string]string{
			`sluice_writer_messages_total{result="inserted"}`:    "2",
			`sluice_writer_messages_total{result="duplicate"}`:   "1",
			`sluice_writer_messages_total{result="conflict"}`:    "1",
			`sluice_writer_messages_total{result="dead_letter"}`: "0",
			"sluice_writer_applied_sequence":                     "4",
			"sluice_stream_last_sequence":                        "4",
			"sluice_writer_lag_entries":                          "0",
			"sluice_writer_lag_seconds":                          "0",
			"sluice_commit_seconds_count":                        "1",
			"sluice_commit_group_size_sum":                       "4",
		} {
			if got := w.metric(name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		log := w.log.String()
		if !strings.Contains(log, `msg="conflict: the first message stays" message_id=a seq=4 first_seq=1`) {
			t.Errorf("no line tells of the conflict in:\n%s", log)
		}
		if strings.Contains(log, "another") {
			t.Errorf("the text of a message is in the log:\n%s", log)
		}
	})
}

func TestRun_anEntryAloneDoesNotWaitForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		defer w.stop()
		time.Sleep(time.Minute)
		w.stream.accept("a", "one")
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		w.wantRows("1:a=one")
	})
}

func TestRun_gathersACrowdForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var batches atomic.Int64
		w.store.taken = func(message.Batch) func() {
			batches.Add(1)
			return func() {}
		}
		w.start()
		defer w.stop()
		synctest.Wait()
		for n := range 50 * 1000 {
			e := entryOf(fmt.Sprint(n%10), "")
			if n%50 == 0 {
				w.stream.append(e)
			} else {
				w.stream.appendAt(e, time.Now())
			}
		}
		w.settle()
		// A second at 50 a millisecond: at 2 ms it would be 500 batches.
		if n := batches.Load(); n < 45 || n > 60 {
			t.Errorf("%d batches", n)
		}
	})
}

func TestRun_acknowledgesOnceForAllOfAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var syncs atomic.Int64
		w.store.fails = func(call string) error {
			if call == "sync" {
				syncs.Add(1)
			}
			return nil
		}
		w.start()
		defer w.stop()
		time.Sleep(time.Second)
		syncs.Store(0)
		for n := range 100 {
			w.stream.accept(fmt.Sprint(n), "")
			time.Sleep(9 * time.Millisecond) // with the millisecond that accept takes, a second in all
		}
		w.settle()
		if n := syncs.Load(); n < 2 || n > 3 {
			t.Errorf("%d syncs for a second's work, want one each 500 ms", n)
		}
		time.Sleep(time.Minute)
		if n := syncs.Load(); n > 3 {
			t.Errorf("an idle writer syncs: %d times", n)
		}
	})
}

func TestRun_boundsABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg = writer.Config{MaxBatch: 10, MaxBatchBytes: 1000}
		for n := range 30 {
			w.stream.accept(fmt.Sprint(n), strings.Repeat("x", 10*n))
		}
		w.stream.accept("large", strings.Repeat("x", 2000))
		var sizes []int
		w.store.taken = func(b message.Batch) func() {
			size := 0
			for _, r := range b.Records {
				e := entryOf(r.ID, *r.Text)
				size += len(e.Data)
			}
			if len(b.Records) > 10 || size > 1000 && len(b.Records) > 1 {
				t.Errorf("a batch of %d entries, %d bytes", len(b.Records), size)
			}
			sizes = append(sizes, len(b.Records))
			return func() {}
		}
		w.start()
		defer w.stop()
		w.settle()
		if slices.Max(sizes) < 5 {
			t.Errorf("batches of %v entries", sizes)
		}
	})
}

func TestRun_anEntryThatCannotBeAppliedBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store.refuse = func(r *message.Record) bool { return r.ID == "too much" || r.ID == "5" }
		for n := range 10 {
			w.stream.accept(fmt.Sprint(n), "")
		}
		broken := entryOf("broken", "")
		broken.Data = []byte(`{"v":1}`)
		w.stream.append(broken)
		w.stream.accept("too much", "")
		w.stream.accept("last", "")
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("1:0=", "2:1=", "3:2=", "4:3=", "5:4=", "7:6=", "8:7=", "9:8=", "10:9=", "13:last=")
		var letters []string
		for _, l := range w.store.data.letters {
			letters = append(letters, fmt.Sprintf("%d %s", l.Seq, l.Reason))
		}
		if len(letters) != 3 || !strings.HasPrefix(letters[0], "6 apply entries 6 to 6: row 0: the store refuses") ||
			!strings.HasPrefix(letters[1], "11 invalid message: message_id must not be empty") ||
			!strings.HasPrefix(letters[2], "12 apply entries 12 to 12: ") {
			t.Errorf("dead letters: %q", letters)
		}
		if got := w.metric(`sluice_writer_messages_total{result="dead_letter"}`); got != "3" {
			t.Errorf("dead letters counted: %s", got)
		}
	})
}

func TestRun_triesAgainUntilTheStoreTakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var tries []time.Time
		w.store.fails = func(call string) error {
			if call != "apply" {
				return nil
			}
			tries = append(tries, time.Now())
			if len(tries) < 9 {
				return errors.New("the disk is full")
			}
			return nil
		}
		w.start()
		defer w.stop()
		w.stream.accept("a", "one")
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if err := w.writer.StoreReady(t.Context()); err == nil || err.Error() != "apply entries 1 to 1: the disk is full" {
			t.Errorf("StoreReady while the disk is full: %v", err)
		}
		w.settle()
		w.wantRows("1:a=one")
		var waits []time.Duration
		for i := 1; i < len(tries); i++ {
			waits = append(waits, tries[i].Sub(tries[i-1]).Round(20*time.Millisecond))
		}
		const ms = time.Millisecond
		if want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}; !slices.Equal(waits, want) {
			t.Errorf("waited %v, want %v", waits, want)
		}
		if err := w.writer.StoreReady(t.Context()); err != nil {
			t.Errorf("StoreReady afterwards: %v", err)
		}
		if got := w.metric(`sluice_writer_failures_total{side="store"}`); got != "8" {
			t.Errorf("failures counted: %s", got)
		}
	})
}

func TestRun_waitsForTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stream.setAway(true)
		w.start()
		defer w.stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := w.writer.StreamReady(t.Context()); err == nil {
			t.Error("ready without a stream")
		}
		if err := w.writer.StoreReady(t.Context()); err != nil {
			t.Errorf("StoreReady: %v", err)
		}
		if got := strings.Count(w.log.String(), `msg="waiting for the stream"`); got != 2 {
			t.Errorf("%d lines tell of the wait:\n%s", got, w.log.String())
		}
		w.stream.setAway(false)
		w.stream.accept("a", "one")
		w.settle()
		w.wantRows("1:a=one")
		if err := w.writer.StreamReady(t.Context()); err != nil {
			t.Errorf("StreamReady: %v", err)
		}
	})
}

func TestRun_showsHowFarItIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var full atomic.Bool
		full.Store(true)
		w.store.fails = func(call string) error {
			if call == "apply" && full.Load() {
				return errors.New("the disk is full")
			}
			return nil
		}
		w.start()
		defer w.stop()
		synctest.Wait()
		for n := range 10 {
			w.stream.accept(fmt.Sprint(n), "")
		}
		time.Sleep(time.Minute - 10*time.Millisecond)
		synctest.Wait()
		if lag, seconds := w.metric("sluice_writer_lag_entries"), w.metric("sluice_writer_lag_seconds"); lag != "10" || seconds != "59.999" {
			t.Errorf("lag is %s entries, %s seconds", lag, seconds)
		}
		full.Store(false)
		w.settle()
		if lag, seconds := w.metric("sluice_writer_lag_entries"), w.metric("sluice_writer_lag_seconds"); lag != "0" || seconds != "0" {
			t.Errorf("afterwards lag is %s entries, %s seconds", lag, seconds)
		}
	})
}

func TestRun_atStopTheBatchUnderWayIsAppliedAndAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		applying := make(chan struct{})
		w.store.taken = func(message.Batch) func() {
			close(applying)
			time.Sleep(time.Second)
			return func() {}
		}
		w.start()
		w.stream.accept("a", "one")
		<-applying
		w.stop()
		w.wantRows("1:a=one")
		if !w.stream.ackedAll() {
			t.Error("it is not acknowledged")
		}
	})
}

func TestRun_aHoleInTheStreamIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for n := range 10 {
			w.stream.accept(fmt.Sprint(n), "")
		}
		w.stream.first = 3
		w.stream.entries[5] = message.Entry{}
		w.stream.entries[6] = message.Entry{}
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("3:2=", "4:3=", "5:4=", "8:7=", "9:8=", "10:9=")
		if got := w.metric("sluice_writer_missing_entries_total"); got != "4" {
			t.Errorf("missing entries counted: %s", got)
		}
		for _, want := range []string{"first=1 last=2 count=2", "first=6 last=7 count=2"} {
			if !strings.Contains(w.log.String(), `level=ERROR msg="entries are missing from the stream" `+want) {
				t.Errorf("no line says %s in:\n%s", want, w.log.String())
			}
		}
	})
}

func TestRun_failsWhenTheStoreCannotBeOpenedAtTheStart(t *testing.T) {
	w := newWorld(t)
	w.store.fails = func(string) error { return errors.New("not a database") }
	if err := w.make().Run(t.Context()); err == nil || err.Error() != "not a database" {
		t.Errorf("got %v", err)
	}
}

// However often connections break, the store fails and the writer is started
// again, the database holds what the stream holds, in order, each id once.
func TestRun_anyInterleavingOfFailuresGivesTheSameRows(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t)
			w.cfg = writer.Config{MaxBatch: 1 + random.IntN(8), MaxBatchBytes: 100 + random.IntN(1000)}
			w.troubled(seed)
			w.store.refuse = func(r *message.Record) bool { return r.ID == "13" }
			w.start()
			for range 5 + random.IntN(60) {
				w.stream.accept(fmt.Sprint(random.IntN(40)), fmt.Sprint(random.IntN(2)))
				if random.IntN(10) == 0 {
					time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
				}
				if random.IntN(15) == 0 {
					w.stop()
					if random.IntN(2) == 0 {
						w.store.powerCut()
					}
					w.start()
				}
			}
			w.trouble.Store(0)
			w.settle()
			w.stop()
			w.wantRebuilt(func(r message.Record) bool { return r.ID != "13" })
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
