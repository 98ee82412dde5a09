package writer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pkg/message"
)

// applied returns a world with messages of these ids in the stream and the
// database, and no writer running.
func applied(t *testing.T, ids ...string) *world {
	w := newWorld(t)
	for _, id := range ids {
		w.stream.accept(id, "old")
	}
	w.start()
	w.settle()
	w.stop()
	return w
}

func all(message.Record) bool { return true }

func TestRecovery_theCheckpointHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b")
		w.store.fails = func(call string) error {
			if call == "rewind" {
				t.Error("rewound without a reason")
			}
			return nil
		}
		w.stream.accept("c", "new")
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("1:a=old", "2:b=old", "3:c=new")
	})
}

func TestRecovery_theStreamLostItsTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b", "c", "d")
		w.stream.cut(2)
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("1:a=old", "2:b=old", "3:c=old", "4:d=old")
		w.wantRebuilt(all) // created_at is that of the entries given back
		if !strings.Contains(w.log.String(), `msg="went back to the last entry in common" seq=2 given_back=2 removed=2`) {
			t.Errorf("no line says what was done:\n%s", w.log.String())
		}
	})
}

func TestRecovery_theSequencesOfTheLostTailWereTakenByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b", "c", "d")
		w.stream.cut(2)
		for _, id := range []string{"e", "f", "g", "h"} {
			w.stream.accept(id, "new")
		}
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("1:a=old", "2:b=old", "3:e=new", "4:f=new", "5:g=new", "6:h=new", "7:c=old", "8:d=old")
		w.wantRebuilt(all)
	})
}

func TestRecovery_aRetryGotTheSequenceThatItsFirstTryHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b", "c", "d")
		w.stream.cut(2)
		w.stream.accept("c", "old")
		w.stream.accept("d", "corrected")
		w.start()
		defer w.stop()
		w.settle()
		w.wantRebuilt(all)
	})
}

func TestRecovery_theTailIsLostWhileTheWriterRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b")
		w.start()
		defer w.stop()
		w.stream.accept("c", "old")
		w.settle()
		w.stream.cut(2)
		w.stream.accept("d", "new")
		w.settle()
		w.wantRows("1:a=old", "2:b=old", "3:d=new", "4:c=old")
		w.wantRebuilt(all)
	})
}

func TestRecovery_aStreamMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b", "c")
		w.stream.anew("two")
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("1:a=old", "2:b=old", "3:c=old") // kept
		w.stream.accept("x", "new")
		w.stream.accept("c", "old")     // the same again: takes its place in the new stream
		w.stream.accept("b", "another") // the first stays
		w.settle()
		w.wantRows("1:a=old", "2:b=old", "2:c=old", "1:x=new")
		if got := w.store.checkpoint(); got.StreamID != "two" || got.Seq != 3 {
			t.Errorf("checkpoint %v", got)
		}
	})
}

func TestRecovery_theDatabaseIsOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b")
		older := w.store.data.clone()
		w.start()
		w.stream.accept("c", "new")
		w.settle()
		w.stop()
		w.store.data, w.store.synced = older, older.clone()
		w.start()
		defer w.stop()
		w.settle()
		w.wantRebuilt(all)
	})
}

func TestRecovery_theDatabaseWasDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b", "a")
		before := describe(w.store.records())
		w.store.data, w.store.synced = storeData{}, storeData{}
		w.start()
		defer w.stop()
		w.settle()
		if after := describe(w.store.records()); !slices.Equal(before, after) {
			t.Errorf("rows before %q, after %q", before, after)
		}
	})
}

func TestRecovery_trimmedUpToTheCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b", "c")
		w.stream.first = 4
		w.start()
		defer w.stop()
		w.settle()
		w.stream.accept("d", "new")
		w.settle()
		w.wantRows("1:a=old", "2:b=old", "3:c=old", "4:d=new")
		if got := w.metric("sluice_writer_missing_entries_total"); got != "0" {
			t.Errorf("%s entries are reported missing", got)
		}
	})
}

// What is trimmed while the writer looks at its checkpoint is not lost: nothing is
// given back, and no record or dead letter is removed.
func TestRecovery_trimmedWhileTheCheckpointIsProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stream.accept("a", "old")
		w.stream.append(message.Entry{MsgID: "broken"})
		w.stream.accept("b", "old")
		w.start()
		w.settle()
		w.stop()
		w.stream.accept("c", "new")
		w.stream.fails = func(call string) bool {
			if call == "entry" {
				w.stream.first = 4
			}
			return false
		}
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("1:a=old", "3:b=old", "4:c=new")
		if got := len(w.store.data.letters); got != 1 {
			t.Errorf("%d dead letters", got)
		}
		if got := w.metric("sluice_writer_rewinds_total"); got != "0" {
			t.Errorf("%s rewinds\n%s", got, w.log.String())
		}
	})
}

func TestRecovery_trimmedBeyondTheCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := applied(t, "a", "b")
		for _, id := range []string{"c", "d", "e"} {
			w.stream.accept(id, "new")
		}
		w.stream.first = 5
		w.start()
		defer w.stop()
		w.settle()
		w.wantRows("1:a=old", "2:b=old", "5:e=new")
		if !strings.Contains(w.log.String(), "first=3 last=4 count=2") {
			t.Errorf("no line tells of the gap:\n%s", w.log.String())
		}
	})
}

func TestRecovery_theCheckpointIsADeadLetterOrARepeat(t *testing.T) {
	for _, last := range []message.Entry{{MsgID: "broken"}, entryOf("a", "old")} {
		for _, cut := range []uint64{0, 1, 2, 3} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.stream.accept("a", "old")
				w.stream.append(last)
				w.stream.append(last)
				w.start()
				w.settle()
				w.stop()
				w.stream.cut(cut)
				w.stream.accept("b", "new")
				w.start()
				defer w.stop()
				w.settle()
				w.wantRebuilt(all)
			})
		}
	}
}

// Whatever is lost on either side, as long as it is a tail: in the end the
// database is what a rebuild would give. It has lost nothing that it held, unless
// it was cut off the power itself.
func TestRecovery_anyLossOfTails(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			cutsStore := seed%2 == 0
			w := newWorld(t)
			w.troubled(seed)
			w.start()
			held := map[string]bool{}
			for range 40 {
				switch random.IntN(10) {
				default:
					w.stream.accept(fmt.Sprint(random.IntN(100)), "")
				case 4, 5:
					w.stream.append(statusEntryOf(fmt.Sprint(random.IntN(20)), "sent"))
				case 0:
					time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
				case 1: // some of what came before is in the database by now, durable or not
					w.stream.flush()
				case 2:
					w.stop() // no entry is given back while the power is cut
					w.stream.powerCut(random)
					w.start()
				case 3:
					w.stop()
					if cutsStore {
						w.store.powerCut()
					}
					w.start()
				}
				if !cutsStore {
					for _, r := range w.store.records() {
						held[r.ID] = true
					}
					for _, r := range w.store.statuses() {
						held["status of "+r.MessageID] = true
					}
				}
			}
			w.trouble.Store(0)
			w.settle()
			w.stop()
			w.wantRebuilt(all)
			for _, r := range w.store.records() {
				delete(held, r.ID)
			}
			for _, r := range w.store.statuses() {
				delete(held, "status of "+r.MessageID)
			}
			if len(held) > 0 {
				t.Errorf("lost: %v\n%s", held, w.log.String())
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
