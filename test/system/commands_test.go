package system

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

// mixed posts messages, repeats, conflicts and garbage.
func mixed(t *testing.T, p *harness.Pipeline, count uint64) {
	t.Helper()
	res := load.Run(t.Context(), load.Config{Addr: p.Addr, Secret: harness.Secret, Connections: 8, Count: count})
	if res.OK() != count {
		t.Fatal(res)
	}
	payload := load.Payload{}.WithDefaults()
	repeat, conflict := payload.Message(3), payload.Message(5)
	other := "something else"
	conflict.Text = &other
	p.Post(repeat, conflict)
	publish(t, p, "webhooks.plain", "garbage")
	data := `{"v":1,"message_id":"again","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"}`
	publish(t, p, "webhooks.plain", data)
	publish(t, p, "webhooks.plain", data)
	p.WaitApplied(publish(t, p, "webhooks.plain", `{"v":1,"message_id":"again","from":"+3","to":"+2","ts":"2025-01-15T10:00:00Z"}`))
}

// countRows opens a database file and counts its messages.
func countRows(t *testing.T, file string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*) FROM messages`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSnapshot_whileMessagesCome(t *testing.T) {
	t.Parallel()
	p := start(t)
	mixed(t, p, 300)
	done := make(chan *load.Result)
	go func() {
		done <- load.Run(t.Context(), load.Config{Addr: p.Addr, Secret: harness.Secret, Connections: 4, Count: 3000,
			Payload: load.Payload{Seed: 1}})
	}()
	file := filepath.Join(t.TempDir(), "copy.db")
	said := p.MustRun("snapshot", file, "--verify", "--json").Lines(p)
	if last := said[len(said)-1]; last["verified"] != true || last["messages"].(float64) < 301 {
		t.Errorf("it says %v", last)
	}
	res := <-done
	if res.OK() != 3000 {
		t.Errorf("during the copy: %v", res)
	}
	p.WaitApplied(res.LastSeq)
	if r := p.Run("snapshot", file); r.Code != 1 || !strings.Contains(r.Stderr, "exists already") {
		t.Errorf("over an existing file: %+v", r)
	}
	if left, _ := filepath.Glob(file + "*"); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}

	piped := filepath.Join(t.TempDir(), "piped.db")
	if err := os.WriteFile(piped, []byte(p.MustRun("snapshot", "-", "--verify", "--json").Stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := countRows(t, piped); n != 3301 {
		t.Errorf("the copy on standard output has %d rows", n)
	}
	if left, _ := filepath.Glob(filepath.Join(p.Dir, ".snapshot-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}

	// Restore it.
	p.Post(hello("last"))
	harness.Eventually(t, "all rows", func() bool { return p.Messages().Total == 3302 })
	before := stored(t, p)
	p.Writer.Stop()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(p.Database + suffix)
	}
	if err := os.Rename(file, p.Database); err != nil {
		t.Fatal(err)
	}
	p.Writer.StartReady()
	harness.Eventually(t, "the rest", func() bool { return len(stored(t, p)) == len(before) })
	if after := stored(t, p); !slices.Equal(after, before) {
		t.Error("the restored database differs")
	}
	p.MustRun("verify")
}

// change changes the database behind everybody's back. The writer must not run.
func change(t *testing.T, p *harness.Pipeline, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+p.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestVerify_saysWhatDiffers(t *testing.T) {
	t.Parallel()
	p := start(t)
	mixed(t, p, 100)
	whole := p.MustRun("verify", "--json").Lines(p)
	last := whole[len(whole)-1]
	if last["differences"] != 0.0 || last["rows"] != 101.0 || last["repeats"] != 2.0 || last["dead_letters"] != 1.0 || last["entries"] != 104.0 {
		t.Errorf("all is well, and it says %v", last)
	}
	p.Writer.Stop()
	for _, test := range []struct{ do, undo, want string }{
		{`UPDATE messages SET to_msisdn = '+0' || substr(to_msisdn, 2) WHERE seq = 7`,
			`UPDATE messages SET to_msisdn = '+' || substr(to_msisdn, 3) WHERE seq = 7`, "7: the database has"},
		{`UPDATE messages SET created_at = 'x' || created_at WHERE seq = 8`,
			`UPDATE messages SET created_at = substr(created_at, 2) WHERE seq = 8`, "another time of acceptance"},
		{`UPDATE messages SET seq = 1009 WHERE seq = 9`, `UPDATE messages SET seq = 9 WHERE seq = 1009`, "by a later entry"},
		{`UPDATE dead_letters SET data = zeroblob(3)`, `UPDATE dead_letters SET data = cast('garbage' AS BLOB)`, "other bytes"},
	} {
		change(t, p, test.do)
		r := p.Run("verify")
		if r.Code != 1 || !strings.Contains(r.Stdout, test.want) || !strings.Contains(r.Stdout, " 1 differences") {
			t.Errorf("after %s: exit %d\n%s%s", test.do, r.Code, r.Stdout, r.Stderr)
		}
		if r := p.Run("verify", "--from", "20", "--to", "30"); r.Code != 0 || !strings.Contains(r.Stdout, "11 entries, 11 rows equal") {
			t.Errorf("of a range without a difference: %+v", r)
		}
		change(t, p, test.undo)
	}
	p.MustRun("verify")
	if err := connect(t, p).DeleteStream(t.Context(), "WEBHOOKS"); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "a stream made anew", func() bool {
		r := p.Run("verify")
		return r.Code == 1 && strings.Contains(r.Stdout, "the database follows stream")
	})
}

func TestVerify_seesAHoleInTheStream(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(numbered("m", 20)...)
	p.Messages()
	stream, err := connect(t, p).Stream(t.Context(), "WEBHOOKS")
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{9, 10} {
		if err := stream.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	r := p.Run("verify")
	if r.Code != 1 || !strings.Contains(r.Stdout, "9 to 10: the stream holds no entries here") || !strings.Contains(r.Stdout, "10: the database has") {
		t.Errorf("%+v", r)
	}
}

func TestDeadLettersCommand(t *testing.T) {
	t.Parallel()
	p := start(t)
	if r := p.MustRun("dead-letters", "list"); r.Stdout != "no dead letters\n" {
		t.Errorf("%+v", r)
	}
	p.Post(hello("before"))
	var seqs []string
	for _, data := range []string{"one", "two", "three", "four"} {
		seqs = append(seqs, strconv.FormatUint(publish(t, p, "webhooks.plain", data), 10))
	}
	p.Post(hello("after"))
	p.Messages()
	if lines := p.MustRun("dead-letters", "list", "--json").Lines(p); len(lines) != 4 || lines[0]["reason"] == "" {
		t.Errorf("%v", lines)
	}
	if r := p.MustRun("dead-letters", "show", seqs[1]); !strings.Contains(r.Stdout, `"two"`) {
		t.Errorf("%+v", r)
	}
	if r := p.Run("dead-letters", "show", "999"); r.Code != 1 || !strings.Contains(r.Stderr, "no dead letter at sequence 999") {
		t.Errorf("%+v", r)
	}
	for _, args := range [][]string{{}, {"list", "1"}, {"retry"}, {"discard", "x"}, {"retry", "1", "--all"}} {
		if r := p.Run(append([]string{"dead-letters"}, args...)...); r.Code != 2 {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if r := p.Run("dead-letters", "retry", "--all"); r.Code != 1 || !strings.Contains(r.Stdout, "4 dead letters still") {
		t.Errorf("%+v", r)
	}
	if r := p.MustRun("dead-letters", "discard", seqs[0]); !strings.Contains(r.Stdout, "1 discarded") {
		t.Errorf("%+v", r)
	}

	// What an upgrade would make readable, a changed row stands for here.
	p.Writer.Stop()
	change(t, p, `UPDATE dead_letters SET data = cast('{"v":1,"message_id":"late","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"}' AS BLOB) WHERE seq = `+seqs[1])
	change(t, p, `UPDATE dead_letters SET data = cast('{"v":1,"message_id":"later","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"}' AS BLOB) WHERE seq = `+seqs[2])
	if r := p.MustRun("dead-letters", "retry", seqs[1]); !strings.Contains(r.Stdout, "1 inserted") { // nobody runs
		t.Errorf("%+v", r)
	}
	p.Writer.StartReady()
	if r := p.MustRun("dead-letters", "retry", seqs[2]); !strings.Contains(r.Stdout, "1 inserted") { // the writer does it
		t.Errorf("%+v", r)
	}
	for i, id := range map[int]string{1: "late", 2: "later"} {
		if row, ok := p.Message(id); !ok || strconv.FormatUint(row.Seq, 10) != seqs[i] {
			t.Errorf("%s is %+v", id, row)
		}
	}
	if r := p.MustRun("dead-letters", "discard", "--all"); !strings.Contains(r.Stdout, "1 discarded") {
		t.Errorf("%+v", r)
	}
	p.Post(hello("one more"))
	if page := p.Messages(); page.Total != 5 {
		t.Errorf("%d messages", page.Total)
	}
}
