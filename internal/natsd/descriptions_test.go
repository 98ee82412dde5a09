package natsd_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/natsd"
)

// A power cut, or a kill between the two renames, leaves a description and a
// checksum that do not fit. Whatever became of them: the stream comes back with
// its entries, and keeps the identity that it has then.
func TestStart_repairsWhatACrashHasLeftOfADescription(t *testing.T) {
	for name, tc := range map[string]struct {
		inf, sum func([]byte) []byte // what is left of each, nil for nothing
		kept     bool                // the identity as well
	}{
		"no checksum":            {whole, nil, true},
		"an empty checksum":      {whole, empty, true},
		"another's checksum":     {whole, turned, true},
		"half a description":     {half, whole, false},
		"zeros as a description": {zeros, whole, false},
		"an empty description":   {empty, empty, false},
		"no description":         {nil, whole, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, natsd.Config{StoreDir: dir})
			js := connect(t, s)
			makeStream(t, js, nil)
			makeConsumer(t, js)
			publish(t, js, 3, 100)
			made := created(t, js)
			s.Shutdown()

			streamDir := filepath.Join(dir, server.JetStreamStoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", "S")
			for _, described := range []string{streamDir, filepath.Join(streamDir, "obs", "C")} {
				leave(t, filepath.Join(described, server.JetStreamMetaFile), tc.inf)
				leave(t, filepath.Join(described, server.JetStreamMetaFileSum), tc.sum)
			}

			s = start(t, natsd.Config{StoreDir: dir})
			js = connect(t, s)
			if !tc.kept {
				makeStream(t, js, nil)
				makeConsumer(t, js)
			}
			again := created(t, js)
			if again.Equal(made) != tc.kept {
				t.Errorf("the identity was %v and is %v", made, again)
			}
			s.Shutdown()

			js = connect(t, start(t, natsd.Config{StoreDir: dir}))
			if last := created(t, js); !last.Equal(again) {
				t.Errorf("the identity goes on changing: from %v to %v", again, last)
			}
			if _, err := js.Consumer(within(t), "S", "C"); err != nil {
				t.Errorf("the consumer does not stay: %v", err)
			}
		})
	}
}

func whole(b []byte) []byte { return b }
func empty([]byte) []byte   { return []byte{} }
func half(b []byte) []byte  { return b[:len(b)/2] }
func zeros(b []byte) []byte { return make([]byte, len(b)) }
func turned(b []byte) []byte {
	return append(bytes.Clone(b[1:]), b[0])
}

// leave rewrites a file, or removes it when change is nil.
func leave(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	switch {
	case err != nil:
	case change == nil:
		err = os.Remove(path)
	default:
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func makeConsumer(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	if _, err := js.CreateConsumer(within(t), "S", jetstream.ConsumerConfig{Durable: "C"}); err != nil {
		t.Fatal(err)
	}
}

// created returns when the stream S, with its 3 entries, says that it was made.
func created(t *testing.T, js jetstream.JetStream) time.Time {
	t.Helper()
	s, err := js.Stream(within(t), "S")
	if err != nil {
		t.Fatal(err)
	}
	if info := s.CachedInfo(); info.State.Msgs != 3 {
		t.Fatalf("the stream has %d entries, want 3", info.State.Msgs)
	}
	return s.CachedInfo().Created
}

// A cut while the layout is proved leaves the probe's blocks without their
// description: a stream that cannot be deleted, and that a new one finds full.
func TestStart_removesTheProbeThatACrashHasLeft(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		s := start(t, natsd.Config{StoreDir: dir})
		js := connect(t, s)
		_, err := js.CreateStream(within(t), jetstream.StreamConfig{
			Name: natsd.ProbeStream, Subjects: []string{"s"}, MaxBytes: natsd.ProbeStreamBytes, Discard: jetstream.DiscardNew,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CheckLayout(natsd.ProbeStream, publisher(t, js)); err != nil {
			t.Fatal(err)
		}
		s.Shutdown()
		probe := filepath.Join(dir, server.JetStreamStoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", natsd.ProbeStream)
		leave(t, filepath.Join(probe, server.JetStreamMetaFile), nil)
	}
}

// A deleted stream's folder that is still being removed is in the way of the
// next one that is deleted.
func TestStart_removesADeletedStreamsFolder(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, server.JetStreamStoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", ".S", "msgs")
	if err := os.MkdirAll(left, 0o750); err != nil {
		t.Fatal(err)
	}
	start(t, natsd.Config{StoreDir: dir}).Shutdown()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
