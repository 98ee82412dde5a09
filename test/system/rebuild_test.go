//go:build linux

package system

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"sluice/test/harness"
	"sluice/test/load"
)

// rows returns every message of the database, as one line each, in order of id.
func rows(t *testing.T, p *harness.Pipeline) []string {
	t.Helper()
	return dump(t, p, `SELECT quote(message_id) || quote(from_msisdn) || quote(to_msisdn) || quote(ts) || quote(text)
		|| created_at || ' ' || seq || source FROM messages ORDER BY message_id`)
}

// wantOneDatabase fails unless the pointer, its generation and locks are all there is.
func wantOneDatabase(t *testing.T, p *harness.Pipeline) {
	t.Helper()
	target, err := filepath.EvalSymlinks(p.Database)
	if err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(p.Database + "*")
	for _, path := range left {
		known := []string{p.Database, p.Database + ".lock", p.Database + ".rebuild.lock", target, target + "-wal", target + "-shm"}
		if !slices.Contains(known, path) {
			t.Errorf("left behind: %s", path)
		}
	}
}

func TestRebuild_whileMessagesCome(t *testing.T) {
	t.Parallel()
	p := start(t)
	mixed(t, p, 300)
	writer := p.Writer.PID()
	for range 2 { // from a plain file, and from a generation
		done := make(chan *load.Result)
		go func() {
			done <- load.Run(t.Context(), load.Config{Addr: p.Addr, Secret: harness.Secret, Connections: 4, Count: 2000,
				Payload: load.Payload{Seed: 1}})
		}()
		said := p.MustRun("rebuild", "--json").Lines(p)
		if last := said[len(said)-1]; last["messages"].(float64) < 301 || last["lost"] != 0.0 {
			t.Errorf("it says %v", last)
		}
		if res := <-done; res.OK() != 2000 {
			t.Errorf("during the rebuild: %v", res)
		}
		p.Post(hello("last"))
		harness.Eventually(t, "all rows", func() bool { return p.Messages().Total == 2302 })
		p.MustRun("verify")
		wantOneDatabase(t, p)
	}
	if p.Writer.PID() != writer {
		t.Error("the writer is not the process that it was")
	}
	before := rows(t, p)
	p.Writer.Stop()
	p.MustRun("rebuild")
	if after := rows(t, p); !slices.Equal(before, after) {
		t.Errorf("without a writer: %d rows, were %d", len(after), len(before))
	}
	p.Writer.StartReady()
	p.MustRun("verify")
	if info, err := os.Lstat(p.Database); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the path is no link: %v %v", info, err)
	}
}

// The writer is on its way back to the stream then, and does not hear yet that it is
// asked to hand the database over.
func TestRebuild_rightAfterTheApiCameBack(t *testing.T) {
	t.Parallel()
	p := start(t)
	mixed(t, p, 100)
	for range 3 {
		p.API.Kill()
		p.API.StartReady()
		p.MustRun("rebuild")
	}
	wantOneDatabase(t, p)
}

func TestRebuild_keepsWhatTheStreamHasTrimmed(t *testing.T) {
	t.Parallel()
	p := start(t)
	mixed(t, p, 300)
	snapshot := filepath.Join(t.TempDir(), "copy.db")
	p.MustRun("snapshot", snapshot)
	p.Post(numbered("late", 50)...)
	p.Messages()
	stream, err := connect(t, p).Stream(t.Context(), "WEBHOOKS")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(200)); err != nil {
		t.Fatal(err)
	}
	before, stats := rows(t, p), p.Get("/stats").Body
	same := func(args ...string) {
		t.Helper()
		p.MustRun(args...)
		if after := rows(t, p); !slices.Equal(before, after) {
			t.Errorf("%q: %d rows, were %d", args, len(after), len(before))
		}
		if after := p.Get("/stats").Body; string(after) != string(stats) {
			t.Errorf("%q: /stats is %s, was %s", args, after, stats)
		}
		p.MustRun("verify")
	}
	same("rebuild")
	same("rebuild", "--from", snapshot)

	// Without a database to carry over from only a snapshot has what was trimmed.
	p.Writer.Stop()
	removed, _ := filepath.Glob(p.Database + "*")
	for _, path := range removed {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.Run("rebuild"); r.Code != 1 || !strings.Contains(r.Stderr, "rows would be lost") || !strings.Contains(r.Stderr, "--from") {
		t.Errorf("without a database: %+v", r)
	}
	same("rebuild", "--from", snapshot)
	p.Writer.StartReady()
	wantOneDatabase(t, p)
}

func TestRebuild_refusesToLoseRows(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(numbered("m", 20)...)
	p.Messages()
	stream, err := connect(t, p).Stream(t.Context(), "WEBHOOKS")
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{9, 10, 15} {
		if err := stream.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	r := p.Run("rebuild")
	if r.Code != 1 || !strings.Contains(r.Stderr, "rows would be lost: 3 of 20") || !strings.Contains(r.Stderr, "9 to 10") {
		t.Errorf("%+v", r)
	}
	p.Post(hello("goes on"))
	if page := p.Messages(); page.Total != 21 {
		t.Errorf("%d messages", page.Total)
	}
	if r := p.MustRun("rebuild", "--accept-loss"); !strings.Contains(r.Stdout, "3 lost") {
		t.Errorf("%+v", r)
	}
	if page := p.Messages(); page.Total != 18 {
		t.Errorf("%d messages, the loss accepted", page.Total)
	}
	for _, args := range [][]string{{"rebuild", "x"}, {"rebuild", "--no"}} {
		if r := p.Run(args...); r.Code != 2 {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

// watchTotal asks for the total all the time, until stop is called. Each answer must
// be 200, and no total less than the one before.
func watchTotal(t *testing.T, p *harness.Pipeline) (stop func()) {
	asked, ended := make(chan error, 1), make(chan struct{})
	go func() {
		for total := 0; ; {
			select {
			case <-ended:
				asked <- nil
				return
			default:
			}
			res, err := p.Try("GET", "/messages?limit=1", nil)
			if err != nil {
				asked <- err
				return
			}
			var page harness.Page
			if err := json.Unmarshal(res.Body, &page); err != nil || res.Status != 200 || page.Total < total {
				asked <- fmt.Errorf("status %d, total %d after %d: %s", res.Status, page.Total, total, res.Body)
				return
			}
			total = page.Total
		}
	}()
	return func() {
		t.Helper()
		close(ended)
		if err := <-asked; err != nil {
			t.Errorf("who asks for the total all the time: %v", err)
		}
	}
}

// TestRebuild_killedAtAnyMoment kills rebuilds at moments all over their course,
// while a client asks for the total all the time.
func TestRebuild_killedAtAnyMoment(t *testing.T) {
	t.Parallel()
	p := start(t)
	mixed(t, p, 5000)
	before := rows(t, p)
	stop := watchTotal(t, p)
	swapped := 0
	for i := range 12 {
		cmd := p.Command("rebuild")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 40 * time.Millisecond) // not waited for anything: some moment of its course
		if i == 4 {
			if r := p.Run("rebuild"); r.Code == 1 && !strings.Contains(r.Stderr, "another rebuild is under way") {
				t.Errorf("the second at a time: %+v", r)
			}
		}
		_ = cmd.Process.Kill()
		if cmd.Wait() == nil {
			swapped++
		}
		if after := rows(t, p); !slices.Equal(before, after) {
			t.Fatalf("after kill %d: %d rows, were %d", i, len(after), len(before))
		}
	}
	t.Logf("%d of 12 came to their end", swapped)
	p.Post(hello("goes on"))
	p.MustRun("rebuild")
	p.MustRun("verify")
	stop()
	wantOneDatabase(t, p)
}

func TestRebuild_oneAtATime(t *testing.T) {
	t.Parallel()
	p := start(t)
	mixed(t, p, 10)
	lock, err := os.OpenFile(p.Database+".rebuild.lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(lock.Fd(), unix.F_SETLK, &whole); err != nil {
		t.Fatal(err)
	}
	if r := p.Run("rebuild"); r.Code != 1 || !strings.Contains(r.Stderr, "another rebuild is under way") {
		t.Errorf("%+v", r)
	}
	lock.Close()
	p.MustRun("rebuild")
}

func TestReplay(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(numbered("m", 20)...)
	p.Messages()
	js := connect(t, p)
	theirs, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"theirs.again"}})
	if err != nil {
		t.Fatal(err)
	}
	count := func() uint64 {
		info, err := theirs.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.State.Msgs
	}
	args := []string{"replay", "--to-subject", "theirs.again", "--from", "+919876543210",
		"--since", "2025-01-15T00:00:05Z", "--until", "2025-01-15T00:00:12Z"}
	if r := p.MustRun(append(args, "--dry-run")...); !strings.Contains(r.Stdout, "7 messages match, none published; stream THEIRS") || count() != 0 {
		t.Errorf("%+v, %d published", r, count())
	}
	for range 2 { // the second time their dedup window drops
		if r := p.MustRun(args...); !strings.Contains(r.Stdout, "7 published") || count() != 7 {
			t.Errorf("%+v, %d published", r, count())
		}
	}
	first, err := theirs.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if first.Header.Get("Nats-Msg-Id") != "m00005" || first.Header.Get("Sluice-Source") != "plain" || !strings.Contains(string(first.Data), `"m00005"`) {
		t.Errorf("%v %s", first.Header, first.Data)
	}
	if r := p.MustRun("replay", "--to-subject", "nobody.listens", "--to", "+1"); !strings.Contains(r.Stdout, "0 messages match") {
		t.Errorf("%+v", r)
	}
	for _, subject := range []string{"webhooks.plain", "webhooks", "$JS.API.INFO", "a.*", "a..b", "sluice.writer.writer.hand_over", ""} {
		if r := p.Run("replay", "--to-subject", subject); r.Code != 2 {
			t.Errorf("to %q: %+v", subject, r)
		}
	}
	if r := p.Run("replay", "--to-subject", "x", "--since", "yesterday"); r.Code != 2 {
		t.Errorf("%+v", r)
	}
}
