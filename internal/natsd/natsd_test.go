package natsd_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/natsd"
)

// wait bounds everything these tests wait for.
const wait = 20 * time.Second

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func start(t *testing.T, cfg natsd.Config) *natsd.Server {
	t.Helper()
	if cfg.StoreDir == "" {
		cfg.StoreDir = t.TempDir()
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	s, err := natsd.Start(cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// connect returns a client that comes back after a restart.
func connect(t *testing.T, s *natsd.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	t.Cleanup(cancel)
	return ctx
}

// makeStream makes a stream S, on subject s, with blocks of 32 kB.
func makeStream(t *testing.T, js jetstream.JetStream, change func(*jetstream.StreamConfig)) {
	t.Helper()
	cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxBytes: natsd.ProbeStreamBytes, Discard: jetstream.DiscardNew}
	if change != nil {
		change(&cfg)
	}
	if _, err := js.CreateStream(within(t), cfg); err != nil {
		t.Fatal(err)
	}
}

func publish(t *testing.T, js jetstream.JetStream, n, size int) {
	t.Helper()
	for range n {
		if _, err := js.Publish(within(t), "s", make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(wait); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestValidate_refusesWhatCannotBeKept(t *testing.T) {
	ok := natsd.Config{StoreDir: "x", Listen: "127.0.0.1:0"}
	for name, c := range map[string]struct {
		change func(*natsd.Config)
		why    string
	}{
		"loopback":          {func(*natsd.Config) {}, ""},
		"IPv6 loopback":     {func(c *natsd.Config) { c.Listen = "[::1]:4222" }, ""},
		"localhost":         {func(c *natsd.Config) { c.Listen = "localhost:4222" }, ""},
		"everywhere, token": {func(c *natsd.Config) { c.Listen, c.Token = ":4222", "t" }, ""},
		"everywhere":        {func(c *natsd.Config) { c.Listen = ":4222" }, "token"},
		"all of IPv4":       {func(c *natsd.Config) { c.Listen = "0.0.0.0:4222" }, "token"},
		"a name":            {func(c *natsd.Config) { c.Listen = "example.com:4222" }, "token"},
		"no port":           {func(c *natsd.Config) { c.Listen = "127.0.0.1" }, "port"},
		"odd port":          {func(c *natsd.Config) { c.Listen = "127.0.0.1:nats" }, "port"},
		"no folder":         {func(c *natsd.Config) { c.StoreDir = "" }, "folder"},
		"largest payload":   {func(c *natsd.Config) { c.MaxPayload = natsd.MaxPayloadLimit }, ""},
		"larger payload":    {func(c *natsd.Config) { c.MaxPayload = natsd.MaxPayloadLimit + 1 }, "payload"},
	} {
		cfg := ok
		c.change(&cfg)
		err := cfg.Validate()
		if (err == nil) != (c.why == "") || (err != nil && !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s: %v, want %q in it", name, err, c.why)
		}
	}
}

func TestStart_asksEveryClientForTheToken(t *testing.T) {
	s := start(t, natsd.Config{Token: "right"})
	try := func(opts ...nats.Option) error {
		nc, err := nats.Connect(s.ClientURL(), opts...)
		if err == nil {
			nc.Close()
		}
		return err
	}
	if err := try(nats.Token("right")); err != nil {
		t.Error(err)
	}
	if err := try(nats.Token("right"), nats.InProcessServer(s)); err != nil {
		t.Error(err)
	}
	for _, opt := range []nats.Option{nats.Token(""), nats.Token("wrong")} {
		if err := try(opt); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("got %v", err)
		}
	}
}

func TestStart_saysWhyItCannotListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = natsd.Start(natsd.Config{StoreDir: t.TempDir(), Listen: l.Addr().String()}, quiet())
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

func TestStart_saysWhyItCannotStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := natsd.Start(natsd.Config{StoreDir: filepath.Join(file, "store"), Listen: "127.0.0.1:0"}, quiet()); err == nil {
		t.Error("it stores in a file")
	}
}

func TestStart_takesTheLargestPayload(t *testing.T) {
	s := start(t, natsd.Config{MaxPayload: natsd.MaxPayloadLimit})
	js := connect(t, s)
	makeStream(t, js, func(c *jetstream.StreamConfig) { c.MaxBytes = -1 })
	publish(t, js, 1, natsd.MaxPayloadLimit-1024)
}

func TestShutdown_keepsTheStreamAndStopsOnce(t *testing.T) {
	dir := t.TempDir()
	s := start(t, natsd.Config{StoreDir: dir})
	js := connect(t, s)
	makeStream(t, js, nil)
	publish(t, js, 3, 100)
	s.Shutdown()
	s.Shutdown()
	if _, err := s.InProcessConn(); err == nil {
		t.Error("it still takes connections")
	}
	if err := s.Restart(); err == nil {
		t.Error("it starts again")
	}

	js = connect(t, start(t, natsd.Config{StoreDir: dir}))
	st, err := js.Stream(within(t), "S")
	if err != nil || st.CachedInfo().State.Msgs != 3 {
		t.Errorf("%+v, %v", st, err)
	}
}

// A crash leaves files that the server writes to prove that it can. It would take
// them for accounts, and be unhealthy for ever.
func TestStart_removesWhatACrashHasLeft(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, server.JetStreamStoreDir, "_test_4711")
	if err := os.MkdirAll(filepath.Dir(left), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, natsd.Config{StoreDir: dir})
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// What the server cuts off when it recovers a stream is said: the torn end of the
// last block, and the rest of a block with damage in it.
func TestStart_saysWhatWasCutOff(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(b []byte) []byte
		block  string
		said   []string
	}{
		"torn end": {func(b []byte) []byte { return append(b, b[:100]...) }, "4.blk", []string{"WARN", "torn end", "4.blk", "bytes_cut=100"}},
		"damage":   {func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, "2.blk", []string{"ERROR", "damaged block", "2.blk"}},
		"nothing":  {func(b []byte) []byte { return b }, "1.blk", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, natsd.Config{StoreDir: dir})
			js := connect(t, s)
			makeStream(t, js, nil)
			publish(t, js, 25, 4000)
			s.Shutdown()
			messages := filepath.Join(dir, "jetstream", "$G", "streams", "S", "msgs")
			// As after kill -9: without an index the server reads the blocks.
			if err := os.Remove(filepath.Join(messages, "index.db")); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(messages, c.block)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			s, err = natsd.Start(natsd.Config{StoreDir: dir, Listen: "127.0.0.1:0"}, slog.New(slog.NewTextHandler(&said, nil)))
			if err != nil {
				t.Fatal(err)
			}
			s.Shutdown()
			for _, words := range c.said {
				if !strings.Contains(said.String(), words) {
					t.Errorf("no %q in:\n%s", words, &said)
				}
			}
			if c.said == nil && strings.Contains(said.String(), "cut off") {
				t.Errorf("said:\n%s", &said)
			}
		})
	}
}

func TestRestart_comesBackWhereItWas(t *testing.T) {
	s := start(t, natsd.Config{})
	js := connect(t, s)
	makeStream(t, js, nil)
	publish(t, js, 1, 100)
	b, err := s.OpenBarrier("S")
	if err != nil {
		t.Fatal(err)
	}
	before := s.ClientURL()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if s.ClientURL() != before {
		t.Errorf("it moved from %s to %s", before, s.ClientURL())
	}
	eventually(t, "publish again", func() bool {
		// What goes out on the old connection gets no answer.
		ctx, cancel := context.WithTimeout(within(t), time.Second)
		defer cancel()
		_, err := js.Publish(ctx, "s", nil)
		return err == nil
	})
	if err := b.Sync(2); err != nil {
		t.Errorf("the barrier after a restart: %v", err)
	}
}

func TestBarrier_followsARealStream(t *testing.T) {
	s := start(t, natsd.Config{})
	js := connect(t, s)
	makeStream(t, js, nil)
	b, err := s.OpenBarrier("S")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 { // across several blocks
		publish(t, js, 5, 2000)
		if err := b.Sync(1 + n%2); err != nil {
			t.Fatal(err)
		}
	}
	s.Shutdown()
	if err := b.Sync(2); err == nil {
		t.Error("a barrier without a server promises")
	}
}

func TestOpenBarrier_wantsAStream(t *testing.T) {
	if _, err := start(t, natsd.Config{}).OpenBarrier("NONE"); err == nil {
		t.Error("it opened")
	}
}

func TestBlockStarts_areWhereAPurgeCutsWholeFiles(t *testing.T) {
	store := t.TempDir()
	s := start(t, natsd.Config{StoreDir: store})
	js := connect(t, s)
	makeStream(t, js, nil)
	publish(t, js, 20, 4000)
	starts, err := s.BlockStarts("S")
	if err != nil || len(starts) < 3 || starts[0] != 1 {
		t.Fatalf("%v, %v", starts, err)
	}
	dir := filepath.Join(store, "jetstream", "$G", "streams", "S", "msgs")
	inodes := func() (all []os.FileInfo) {
		paths, err := filepath.Glob(filepath.Join(dir, "*.blk"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, info)
		}
		return all
	}
	before := inodes()
	st, err := js.Stream(within(t), "S")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Purge(within(t), jetstream.WithPurgeSequence(starts[2])); err != nil {
		t.Fatal(err)
	}
	after := inodes()
	if len(after) != len(before)-2 {
		t.Fatalf("%d blocks became %d", len(before), len(after))
	}
	for i, info := range after {
		if was := before[i+2]; !os.SameFile(info, was) || info.Size() != was.Size() {
			t.Errorf("%s was rewritten", info.Name())
		}
	}
	if now, err := s.BlockStarts("S"); err != nil || len(now) != len(starts)-2 || now[0] != starts[2] {
		t.Errorf("%v became %v, %v", starts, now, err)
	}
}

func TestCheckLayout_holdsForThisServer(t *testing.T) {
	s := start(t, natsd.Config{})
	js := connect(t, s)
	makeStream(t, js, nil)
	if err := s.CheckLayout("S", publisher(t, js)); err != nil {
		t.Errorf("nats-server keeps its files another way: the barrier must be read again: %v", err)
	}
}

func TestCheckLayout_seesWhatABarrierCannotPromise(t *testing.T) {
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"in memory":      func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"blocks too big": func(c *jetstream.StreamConfig) { c.MaxBytes = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, natsd.Config{})
			js := connect(t, s)
			makeStream(t, js, change)
			if err := s.CheckLayout("S", publisher(t, js)); !errors.Is(err, natsd.ErrLayout) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func publisher(t *testing.T, js jetstream.JetStream) func([]byte) error {
	return func(data []byte) error {
		_, err := js.Publish(within(t), "s", data)
		return err
	}
}

// What Barrier knows of the server's files was read in the source of this
// version. Read it again (DESIGN.md of package stream, section 4) before another
// one goes in.
func TestServer_isTheVersionThatWasRead(t *testing.T) {
	if server.VERSION != "2.15.2" {
		t.Errorf("this is nats-server %s", server.VERSION)
	}
}

func TestDefaultStreamBytes_countsWhatTheStoreHas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	empty, err := natsd.DefaultStreamBytes(dir)
	if err != nil || empty <= 0 {
		t.Fatalf("%d, %v", empty, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// A file without blocks takes no disk, so this store looks as if it had eaten
	// 64 GB of another one.
	if err := os.WriteFile(filepath.Join(dir, "1.blk"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "1.blk"), 64<<30); err != nil {
		t.Fatal(err)
	}
	full, err := natsd.DefaultStreamBytes(dir)
	if err != nil || full < empty+16<<30 {
		t.Errorf("%d became %d, %v", empty, full, err)
	}
}

func TestFit_refusesBelowTheReserve(t *testing.T) {
	s := start(t, natsd.Config{Reserve: 1 << 60})
	run(t, s)
	eventually(t, "the disk is said to be low", func() bool { return errors.Is(s.Fit(), natsd.ErrLowDisk) })
}

func TestRun_restartsAServerThatMetAWriteError(t *testing.T) {
	dir := t.TempDir()
	s := start(t, natsd.Config{StoreDir: dir, Reserve: 1})
	js := connect(t, s)
	makeStream(t, js, nil)
	b, err := s.OpenBarrier("S")
	if err != nil {
		t.Fatal(err)
	}
	// The next block cannot be opened, and not be removed either.
	block := filepath.Join(dir, "jetstream", "$G", "streams", "S", "msgs", "2.blk")
	if err := os.MkdirAll(filepath.Join(block, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	stuck := false
	for range 20 {
		ctx, cancel := context.WithTimeout(within(t), 200*time.Millisecond)
		_, err := js.Publish(ctx, "s", make([]byte, 4000))
		cancel()
		if stuck = err != nil; stuck {
			break
		}
	}
	if !stuck {
		t.Fatal("the server got round the obstacle")
	}
	run(t, s)
	eventually(t, "it is said to be stuck", func() bool { return errors.Is(s.Fit(), natsd.ErrStuck) })
	if err := os.RemoveAll(block); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is well again", func() bool { return s.Fit() == nil })
	publish(t, js, 3, 4000)
	if err := b.Sync(2); err != nil {
		t.Error(err)
	}
}

// run runs the server's watch until the test ends.
func run(t *testing.T, s *natsd.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}
