package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/pkg/client"
	"sluice/test/harness"
	"sluice/test/load"
)

// newClient makes a client of a pipeline. Its patience is the test's.
func newClient(t *testing.T, p *harness.Pipeline, cfg client.Config) (*client.Client, context.Context) {
	t.Helper()
	cfg.URL, cfg.Secret, cfg.Attempts = p.URL, harness.Secret, -1
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return c, ctx
}

func TestClient_losesNothingWhileTheApiIsAway(t *testing.T) {
	t.Parallel()
	p := start(t)
	c, ctx := newClient(t, p, client.Config{OnRetry: func(error, time.Duration) {
		if !p.API.Running() {
			p.API.Start()
		}
	}})
	reader, _ := newClient(t, p, client.Config{})
	tailed := make(chan string, 100)
	go func() {
		defer close(tailed)
		first := uint64(0)
		for e, err := range reader.Tail(ctx, client.TailQuery{After: &first}) {
			if err != nil {
				return
			}
			tailed <- e.Message.ID
		}
	}()
	var want []string
	for i, m := range numbered("m", 40) {
		switch i {
		case 15:
			p.API.Kill()
		case 30:
			p.API.Stop()
		}
		if _, err := c.Send(ctx, m); err != nil {
			t.Fatal(err)
		}
		want = append(want, m.ID)
	}
	var got []string
	for m, err := range c.Messages(ctx, client.Query{PageSize: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("stored %q", got)
	}
	for _, id := range want {
		if heard := <-tailed; heard != id {
			t.Fatalf("the tail tells %q, want %q", heard, id)
		}
	}
	if _, err := c.Message(ctx, "nobody"); !errors.Is(err, client.ErrNotFound) {
		t.Error(err)
	}
	if s, err := c.Stats(ctx); err != nil || s.TotalMessages != 40 {
		t.Errorf("%+v %v", s, err)
	}
	if pl, err := c.Pipeline(ctx); err != nil || !pl.Database.Available || *pl.Stream.LastSequence < 40 {
		t.Errorf("%+v %v", pl, err)
	}
}

// apiCommand runs a command of the api to its end.
func apiCommand(t *testing.T, stdin, secret string, args ...string) harness.Result {
	t.Helper()
	return apiCommandWith(t, stdin, []string{"WEBHOOK_SECRET=" + secret}, args...)
}

func apiCommandWith(t *testing.T, stdin string, env []string, args ...string) harness.Result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), harness.Program(t, "api"), args...)
	cmd.Env = append([]string{}, env...) // nil would be the environment of make
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return harness.Result{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

func TestSend_fromArgumentsAndFiles(t *testing.T) {
	t.Parallel()
	p := start(t)
	r := apiCommand(t, "", harness.Secret, "send", "-url", p.URL, "-id", "hello", "-from", "+1", "Hello you")
	if r.Code != 0 || r.Stdout != "hello kept at sequence 1\n" {
		t.Errorf("%+v", r)
	}
	if row, ok := p.Message("hello"); !ok || *row.Text != "Hello you" || row.From != "+1" {
		t.Errorf("%+v", row)
	}
	r = apiCommand(t, "", harness.Secret, "send", "one", "-url", p.URL, "two")
	if r.Code != 0 || strings.Count(r.Stdout, " kept at sequence ") != 2 {
		t.Errorf("%+v", r)
	}
	r = apiCommand(t, "", harness.Secret, "send", "-url", p.URL, "three", "--", "-4", "--", "-id")
	if r.Code != 0 || strings.Count(r.Stdout, " kept at sequence ") != 4 || p.Messages("q", "-id").Total != 1 {
		t.Errorf("texts that begin with a dash: %+v", r)
	}

	var lines strings.Builder
	for _, m := range numbered("f", 500) {
		fmt.Fprintf(&lines, "%s\n\n", load.Body(m))
	}
	file := filepath.Join(t.TempDir(), "messages.ndjson")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r = apiCommand(t, "", harness.Secret, "send", "-url", p.URL, "-file", file, "-concurrency", "16")
	if r.Code != 0 || !strings.HasPrefix(r.Stdout, "500 kept, 0 not") {
		t.Errorf("%+v", r)
	}
	r = apiCommand(t, lines.String(), harness.Secret, "send", "-url", p.URL, "-concurrency", "16")
	if r.Code != 0 || !strings.HasPrefix(r.Stdout, "500 kept, 0 not") {
		t.Errorf("again, from standard input: %+v", r)
	}
	if total := p.Messages().Total; total != 507 {
		t.Errorf("%d messages", total)
	}
}

func TestSend_saysWhatWasNotKept(t *testing.T) {
	t.Parallel()
	p := start(t)
	stdin := string(load.Body(hello("m1"))) + "\n{}\n"
	r := apiCommand(t, stdin, harness.Secret, "send", "-url", p.URL)
	if r.Code != 1 || !strings.HasPrefix(r.Stdout, "1 kept, 1 not") || !strings.Contains(r.Stderr, "line 2: POST /webhook: 422") || !strings.Contains(r.Stderr, "body.ts is missing") {
		t.Errorf("%+v", r)
	}
	if r := apiCommand(t, "", "wrong", "send", "-url", p.URL, "x"); r.Code != 1 || !strings.Contains(r.Stderr, "401 Unauthorized: invalid signature") {
		t.Errorf("%+v", r)
	}
	p.API.Stop()
	if r := apiCommand(t, "", harness.Secret, "send", "-url", p.URL, "-attempts", "2", "x"); r.Code != 1 || !strings.Contains(r.Stderr, "connection refused") {
		t.Errorf("%+v", r)
	}
}

func TestSend_refusesBadUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-file x text": "either texts or -file", "-id a": "-id is for a single text", "-concurrency 0 x": "-concurrency is at least 1",
		"-url nowhere x": "must be like http://127.0.0.1:8000", "-what": "flag provided but not defined",
	} {
		r := apiCommand(t, "", "s", append([]string{"send"}, strings.Fields(args)...)...)
		if r.Code != 2 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if r := apiCommand(t, "", "", "send", "x"); r.Code != 2 || !strings.Contains(r.Stderr, "WEBHOOK_SECRET must be set, or WEBHOOK_SECRET_FILE") {
		t.Errorf("without a secret: %+v", r)
	}
	onlyPublic := []string{"STANDARD_WEBHOOKS_SECRET=whpk_" + strings.Repeat("A", 43) + "="}
	if r := apiCommandWith(t, "", onlyPublic, "send", "-as", "standard", "x"); r.Code != 2 || !strings.Contains(r.Stderr, "STANDARD_WEBHOOKS_SECRET: it takes a whsec_") {
		t.Errorf("with a key that only verifies: %+v", r)
	}
	if r := apiCommand(t, "", "s", "send", "-file", "/no/such/file"); r.Code != 1 || !strings.Contains(r.Stderr, "/no/such/file: no such file") {
		t.Errorf("no file: %+v", r)
	}
	if r := apiCommand(t, "", "", "send", "-h"); r.Code != 0 || !strings.Contains(r.Stdout, "-concurrency") {
		t.Errorf("help: %+v", r)
	}
}
