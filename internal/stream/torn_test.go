package stream_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
)

// The server does not sync what it keeps of a consumer. A power cut may leave a
// file that it cannot read, and then it neither uses the consumer nor lets it go.
func TestBegin_afterThePowerCutTheConsumersState(t *testing.T) {
	for name, tear := range map[string]func([]byte) []byte{
		"half of it": func(b []byte) []byte { return b[:len(b)/2] },
		"zero bytes": func(b []byte) []byte { return make([]byte, len(b)) },
		"nothing":    func([]byte) []byte { return nil },
		"other":      func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := streamtest.StartIn(t, dir, "127.0.0.1:0")
			p := s.Publisher(t, stream.PublisherConfig{})
			for n := range 10 {
				if _, err := p.Publish(within(t), streamtest.Entry(n)); err != nil {
					t.Fatal(err)
				}
			}
			follow(t, s, 0, 5)
			s.Shutdown()

			files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", stream.Name, "obs", "*", "o.dat"))
			if err != nil || len(files) != 1 {
				t.Fatalf("the consumer's state is in %v, %v", files, err)
			}
			state, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], tear(state), 0o600); err != nil {
				t.Fatal(err)
			}
			follow(t, streamtest.StartIn(t, dir, "127.0.0.1:0"), 5, 10)
		})
	}
}

// follow fetches the entries behind after up to last, and acknowledges them.
func follow(t *testing.T, s *streamtest.Server, after, last uint64) {
	t.Helper()
	c := s.Consumer(t, "writer")
	if _, err := c.Open(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(within(t), after); err != nil {
		t.Fatal(err)
	}
	for after < last {
		entries, err := c.Fetch(within(t), int(last-after), 0)
		if err != nil {
			t.Fatal(err)
		}
		if entries[0].Seq != after+1 {
			t.Fatalf("entry %d comes behind %d", entries[0].Seq, after)
		}
		after = entries[len(entries)-1].Seq
	}
	if err := c.Ack(within(t), after); err != nil {
		t.Fatal(err)
	}
}
