package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
	"sluice/pkg/message"
)

// blocky is a server with a stream whose blocks of 32 kB hold about seven
// entries each, 25 in all.
func blocky(t *testing.T) *streamtest.Server {
	t.Helper()
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{Stream: stream.Config{MaxBytes: 127_000}})
	for n := range 25 {
		e := streamtest.Entry(n + 1)
		e.Data = make([]byte, 4000)
		if _, err := p.Publish(within(t), e); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func trimmer(t *testing.T, s *streamtest.Server, retention time.Duration, files stream.Files) *stream.Trimmer {
	t.Helper()
	return stream.NewTrimmer(s.ConnectInProcess(t), stream.TrimmerConfig{Retention: retention, Files: files}, time.Now, streamtest.Quiet())
}

// apply has the writer named name keep every entry up to seq.
func apply(t *testing.T, s *streamtest.Server, name string, seq uint64) {
	t.Helper()
	begin(t, s.Consumer(t, name), seq)
}

func first(t *testing.T, s *streamtest.Server) uint64 {
	t.Helper()
	st, err := s.ConnectInProcess(t).Status(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return st.First
}

func trim(t *testing.T, trimmer *stream.Trimmer) uint64 {
	t.Helper()
	removed, err := trimmer.Trim(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return removed
}

func TestTrim_withoutAWriterNothingGoes(t *testing.T) {
	s := blocky(t)
	if n := trim(t, trimmer(t, s, 0, s)); n != 0 || first(t, s) != 1 {
		t.Errorf("removed %d", n)
	}
}

func TestTrim_onlyWhatEveryWriterKeeps(t *testing.T) {
	s := blocky(t)
	starts, err := s.BlockStarts(stream.Name)
	if err != nil || len(starts) < 3 {
		t.Fatalf("%v, %v", starts, err)
	}
	tr := trimmer(t, s, 0, s)
	apply(t, s, "fast", 25)
	apply(t, s, "slow", 0)
	if n := trim(t, tr); n != 0 {
		t.Errorf("removed %d that slow has not applied", n)
	}
	apply(t, s, "slow", starts[1]-2)
	if n := trim(t, tr); n != 0 {
		t.Errorf("removed %d of a block whose last entry slow has not applied", n)
	}
	apply(t, s, "slow", starts[1]-1)
	if n := trim(t, tr); n != starts[1]-1 || first(t, s) != starts[1] {
		t.Errorf("removed %d, the first is %d, want %d", n, first(t, s), starts[1])
	}
	apply(t, s, "slow", starts[2]+1)
	if n := trim(t, tr); n != starts[2]-starts[1] || first(t, s) != starts[2] {
		t.Errorf("removed %d, the first is %d, want %d", n, first(t, s), starts[2])
	}
}

func TestTrim_neverTheWholeStream(t *testing.T) {
	for name, s := range map[string]*streamtest.Server{"embedded": blocky(t), "external": blocky(t)} {
		var files stream.Files
		if name == "embedded" {
			files = s
		}
		apply(t, s, "writer", 25)
		trim(t, trimmer(t, s, 0, files))
		st, err := s.ConnectInProcess(t).Status(within(t))
		if err != nil || st.Messages == 0 || st.First < 10 || st.Last != 25 {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
	}
}

func TestTrim_onlyPastRetention(t *testing.T) {
	s := blocky(t)
	apply(t, s, "writer", 25)
	if n := trim(t, trimmer(t, s, time.Hour, s)); n != 0 {
		t.Errorf("removed %d", n)
	}
	// With the eleventh entry an hour old, only blocks before it may go.
	e, err := s.ConnectInProcess(t).FirstFrom(within(t), 11)
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range []stream.Files{s, nil} {
		tr := stream.NewTrimmer(s.ConnectInProcess(t), stream.TrimmerConfig{Retention: time.Hour, Files: files},
			func() time.Time { return e.AcceptedAt.Add(time.Hour) }, streamtest.Quiet())
		trim(t, tr)
		want := uint64(11)
		if files != nil {
			starts, err := s.BlockStarts(stream.Name)
			if err != nil {
				t.Fatal(err)
			}
			want = starts[0]
		}
		if got := first(t, s); got != want || got > 11 {
			t.Errorf("the first is %d, want %d", got, want)
		}
	}
}

func TestTrim_publishedEntriesStayDurableAcrossIt(t *testing.T) {
	s := blocky(t)
	b, err := s.OpenBarrier(stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, "writer", 25)
	if n := trim(t, trimmer(t, s, 0, s)); n == 0 {
		t.Error("nothing was removed")
	}
	p := s.Publisher(t, stream.PublisherConfig{Stream: stream.Config{MaxBytes: 127_000}, Commit: group(t, b.Sync)})
	publish(t, p, 100, 110)
}

// brokenFiles fails to make the consumers durable.
type brokenFiles struct{ *streamtest.Server }

var errBroken = errors.New("disk on fire")

func (brokenFiles) SyncTree() error { return errBroken }

func TestTrim_nothingGoesBeforeTheAcknowledgementsAreDurable(t *testing.T) {
	s := blocky(t)
	apply(t, s, "writer", 25)
	if _, err := trimmer(t, s, 0, brokenFiles{s}).Trim(within(t)); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	if got := first(t, s); got != 1 {
		t.Errorf("the first is %d", got)
	}
}

func TestRun_trimsByItself(t *testing.T) {
	s := blocky(t)
	apply(t, s, "writer", 25)
	tr := stream.NewTrimmer(s.ConnectInProcess(t), stream.TrimmerConfig{
		Files: s, Settle: time.Millisecond, Interval: time.Millisecond,
	}, time.Now, streamtest.Quiet())
	run(t, tr.Run)
	eventually(t, "old entries are gone", func() bool { return first(t, s) > 1 })
}

func TestStatus_namesEveryWriter(t *testing.T) {
	s := blocky(t)
	apply(t, s, "b", 7)
	apply(t, s, "a", 3)
	st, err := s.ConnectInProcess(t).Status(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(st.Writers); got != "[{a 3} {b 7}]" || st.Messages != 25 || st.MaxBytes != 127_000 || st.Bytes < 25*4000 || !st.Full {
		t.Errorf("%+v", st)
	}
}

func TestAck_movesTheWriterAlong(t *testing.T) {
	s := blocky(t)
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	fetch(t, c, 10)
	fetch(t, c, 5)
	acked := func() uint64 {
		st, err := s.ConnectInProcess(t).Status(within(t))
		if err != nil {
			t.Fatal(err)
		}
		return st.Writers[0].Acked
	}
	// Whole batches are acknowledged, and how they came is a matter of time.
	for _, step := range []struct{ ack, least, most uint64 }{{9, 0, 9}, {12, 10, 12}, {15, 15, 15}, {3, 15, 15}} {
		if err := c.Ack(within(t), step.ack); err != nil {
			t.Fatal(err)
		}
		if got := acked(); got < step.least || got > step.most {
			t.Errorf("ack %d: acknowledged %d, want %d to %d", step.ack, got, step.least, step.most)
		}
	}
}

func TestReplay_everyEntryOfTheRangeInOrder(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 50)
	r := stream.NewReplayer(s.Connect(t))
	for _, c := range []struct{ from, to, first, last uint64 }{
		{1, 50, 1, 50}, {0, 50, 1, 50}, {7, 9, 7, 9}, {50, 50, 50, 50}, {40, 1000, 40, 50}, {51, 60, 1, 0}, {9, 7, 1, 0},
	} {
		next := c.first
		err := r.Replay(within(t), c.from, c.to, func(e message.Entry) error {
			if e.Seq != next || e.MsgID != fmt.Sprint("m", next) {
				t.Errorf("%d..%d: got %d %s, want %d", c.from, c.to, e.Seq, e.MsgID, next)
			}
			next++
			return nil
		})
		if err != nil || next != c.last+1 {
			t.Errorf("%d..%d: %v, ended before %d", c.from, c.to, err, next)
		}
	}
}

func TestReplay_leavesOutWhatIsGone(t *testing.T) {
	s := blocky(t)
	js, err := s.JetStream(t).Stream(within(t), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{1, 2, 10, 25} {
		if err := js.DeleteMsg(within(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint64
	err = stream.NewReplayer(s.Connect(t)).Replay(within(t), 1, 25, func(e message.Entry) error {
		got = append(got, e.Seq)
		return nil
	})
	if err != nil || len(got) != 21 || got[0] != 3 || got[20] != 24 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestReplay_carriesOnAfterARestart(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 50)
	next := uint64(1)
	err := stream.NewReplayer(s.Connect(t)).Replay(within(t), 1, 50, func(e message.Entry) error {
		if e.Seq != next {
			t.Errorf("got %d, want %d", e.Seq, next)
		}
		if next == 20 {
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
		}
		next++
		return nil
	})
	if err != nil || next != 51 {
		t.Errorf("%v, ended before %d", err, next)
	}
}

func TestReplay_noticesAnotherStream(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 50)
	err := stream.NewReplayer(s.Connect(t)).Replay(within(t), 1, 50, func(e message.Entry) error {
		if e.Seq != 20 {
			return nil
		}
		s.MakeAnew(t, stream.Config{})
		publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 50)
		return s.Restart()
	})
	if err != nil && !errors.Is(err, stream.ErrAnotherStream) {
		t.Errorf("got %v", err)
	}
}

func TestReplay_endsWithItsCallerAndWithF(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 3)
	r := stream.NewReplayer(s.Connect(t))
	odd := errors.New("odd")
	if err := r.Replay(within(t), 1, 3, func(message.Entry) error { return odd }); err != odd {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(within(t))
	err := r.Replay(ctx, 1, 3, func(message.Entry) error { cancel(); return nil })
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
