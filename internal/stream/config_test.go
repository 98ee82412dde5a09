package stream_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
)

func TestEnsure_leavesAStreamAloneThatIsAsItShouldBe(t *testing.T) {
	s := streamtest.Start(t)
	c := s.ConnectInProcess(t)
	cfg := stream.Config{MaxBytes: 1 << 20, DedupWindow: time.Minute}
	first, err := c.Ensure(within(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	meta := func() os.FileInfo {
		info, err := os.Stat(filepath.Join(s.Dir, "jetstream", "$G", "streams", stream.Name, "meta.inf"))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	before := meta()
	again, err := c.Ensure(within(t), cfg)
	if err != nil || again != first {
		t.Errorf("%+v became %+v, %v", first, again, err)
	}
	if !os.SameFile(before, meta()) {
		t.Error("the server wrote the stream's description anew")
	}
}

// Compression rewrites closed blocks behind the barrier's back.
func TestEnsure_turnsCompressionOff(t *testing.T) {
	s := streamtest.Start(t)
	nc, err := nats.Connect(s.ClientURL(), nats.Token(streamtest.Token))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	compressed := jetstream.StreamConfig{Name: stream.Name, Subjects: []string{"webhooks.>"}, Compression: jetstream.S2Compression}
	if _, err := js.CreateStream(within(t), compressed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ConnectInProcess(t).Ensure(within(t), stream.Config{}); err != nil {
		t.Fatal(err)
	}
	is, err := js.Stream(within(t), stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	if got := is.CachedInfo().Config.Compression; got != jetstream.NoCompression {
		t.Errorf("the stream has compression %v", got)
	}
}

func TestEnsure_changesLimitsAndKeepsEntries(t *testing.T) {
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{})
	publish(t, p, 1, 100)
	c := s.ConnectInProcess(t)
	before, err := c.Ensure(within(t), stream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// Lower than what it holds: nothing goes, nothing comes.
	after, err := c.Ensure(within(t), stream.Config{MaxBytes: 1000, DedupWindow: time.Second})
	if err != nil || after != before {
		t.Errorf("%+v became %+v, %v", before, after, err)
	}
	if _, err := p.Publish(within(t), streamtest.Entry(101)); !errors.Is(err, stream.ErrFull) {
		t.Errorf("got %v", err)
	}
	info, err := s.JetStream(t).Stream(within(t), stream.Name)
	if err != nil || info.CachedInfo().Config.Duplicates != time.Second {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := c.Ensure(within(t), stream.Config{}); err != nil {
		t.Fatal(err)
	}
	publish(t, p, 101, 101)
}

func TestEnsure_aStreamMadeAnewIsAnother(t *testing.T) {
	s := streamtest.Start(t)
	c := s.ConnectInProcess(t)
	before, err := c.Ensure(within(t), stream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if before.First != 1 || before.Last != 0 {
		t.Errorf("an empty stream holds %+v", before)
	}
	s.MakeAnew(t, stream.Config{})
	after, err := c.Ensure(within(t), stream.Config{})
	if err != nil || after.ID == before.ID {
		t.Errorf("%+v became %+v, %v", before, after, err)
	}
}

func TestEnsure_aSingleServerCannotReplicate(t *testing.T) {
	c := streamtest.Start(t).ConnectInProcess(t)
	if _, err := c.Ensure(within(t), stream.Config{Replicas: 3}); err == nil {
		t.Error("it promised three copies")
	}
}

func TestValidate_refusesWhatTheServerWould(t *testing.T) {
	for _, c := range []stream.Config{{MaxBytes: -1}, {DedupWindow: time.Millisecond}, {DedupWindow: -1}, {Replicas: 6}, {Replicas: -1}} {
		if c.Validate() == nil {
			t.Errorf("%+v passed", c)
		}
	}
	if err := (stream.Config{MaxBytes: 1, DedupWindow: 100 * time.Millisecond, Replicas: 5}).Validate(); err != nil {
		t.Error(err)
	}
}
