package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/harness"
)

func TestConfig_aBadValueStopsTheStart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		program string
		env     map[string]string
		names   string // the variable that the line must name
	}{
		{"api", map[string]string{"WEBHOOK_SECRET": ""}, "WEBHOOK_SECRET"},
		{"api", map[string]string{"WEBHOOK_SECRET": "", "WEBHOOK_SECRET_FILE": "/does/not/exist"}, "WEBHOOK_SECRET_FILE"},
		{"api", map[string]string{"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"},
		{"api", map[string]string{"READ_WAIT": "soon"}, "READ_WAIT"},
		{"api", map[string]string{"READ_WAIT": "-1s"}, "READ_WAIT"},
		{"api", map[string]string{"MAX_BODY_BYTES": "0"}, "MAX_BODY_BYTES"},
		{"api", map[string]string{"REQUEST_TIMEOUT": "10ms"}, "REQUEST_TIMEOUT"},
		{"api", map[string]string{"STOP_DELAY": "-1s"}, "STOP_DELAY"},
		{"api", map[string]string{"DATABASE_URL": "postgres://localhost/db"}, "DATABASE_URL"},
		{"api", map[string]string{"HTTP_ADDR": "8000"}, "HTTP_ADDR"},
		{"api", map[string]string{"HTTP_ADDR": "127.0.0.1:99999"}, "HTTP_ADDR"},
		{"api", map[string]string{"NATS_LISTEN": "nowhere"}, "NATS_LISTEN"},
		{"api", map[string]string{"NATS_LISTEN": "0.0.0.0:4222", "NATS_TOKEN": ""}, "NATS_TOKEN"},
		{"api", map[string]string{"ACK_DURABILITY": "maybe"}, "ACK_DURABILITY"},
		{"api", map[string]string{"ACK_DURABILITY": "replicated"}, "ACK_DURABILITY"},
		{"api", map[string]string{"STREAM_MAX_BYTES": "lots"}, "STREAM_MAX_BYTES"},
		{"api", map[string]string{"STREAM_RETENTION": "1 week"}, "STREAM_RETENTION"},
		{"api", map[string]string{"DEDUP_WINDOW": "x"}, "DEDUP_WINDOW"},
		{"api", map[string]string{"WRITER_NAME": "a.b"}, "WRITER_NAME"},
		{"api", map[string]string{"NATS_CLUSTER_LISTEN": "x"}, "NATS_CLUSTER_LISTEN"},
		{"api", map[string]string{"NATS_CLUSTER_LISTEN": "127.0.0.1:0", "NATS_CLUSTER_ROUTES": "127.0.0.1:1"}, "NATS_CLUSTER_NODE"},
		{"api", map[string]string{"NATS_CLUSTER_NODE": "api-1"}, "NATS_CLUSTER_LISTEN"},
		{"writer", map[string]string{"DATABASE_URL": "app.db"}, "DATABASE_URL"},
		{"writer", map[string]string{"NATS_URL": "http://%"}, "NATS_URL"},
		{"writer", map[string]string{"LOG_LEVEL": "1"}, "LOG_LEVEL"},
		{"writer", map[string]string{"WRITER_HTTP_ADDR": "x"}, "WRITER_HTTP_ADDR"},
		{"writer", map[string]string{"WRITER_HTTP_ADDR": "127.0.0.1:99999"}, "WRITER_HTTP_ADDR"},
		{"writer", map[string]string{"WRITER_NAME": "a b"}, "WRITER_NAME"},
	}
	for _, test := range tests {
		t.Run(test.program+" "+test.names, func(t *testing.T) {
			t.Parallel()
			p := harness.New(t, harness.Options{API: test.env, Writer: test.env})
			process := p.API
			if test.program == "writer" {
				process = p.Writer
			}
			process.Start()
			code := process.Wait()
			said := process.Output() + process.Stderr()
			if code != 2 || !strings.Contains(said, test.names) {
				t.Errorf("%v: exit code %d, and it said %q", test.env, code, said)
			}
			if lines := strings.Count(said, "\n"); lines > 1 {
				t.Errorf("%v: %d lines: %q", test.env, lines, said)
			}
		})
	}
}

func TestConfig_badUsage(t *testing.T) {
	t.Parallel()
	p := harness.New(t, harness.Options{})
	for _, args := range [][]string{{"-no-such-flag"}, {"no-such-command"}} {
		for _, process := range []*harness.Process{p.API, p.Writer} {
			process.Start(args...)
			if code := process.Wait(); code != 2 {
				t.Errorf("%q: exit code %d: %s%s", args, code, process.Output(), process.Stderr())
			}
		}
	}
}

func TestConfig_helpListsTheVariables(t *testing.T) {
	t.Parallel()
	p := harness.New(t, harness.Options{})
	for process, names := range map[*harness.Process]string{
		p.API: "WEBHOOK_SECRET WEBHOOK_SECRET_PREVIOUS DATABASE_URL LOG_LEVEL HTTP_ADDR NATS_URL NATS_LISTEN NATS_TOKEN NATS_STORE_DIR " +
			"STREAM_MAX_BYTES STREAM_RETENTION DEDUP_WINDOW ACK_DURABILITY READ_WAIT MAX_BODY_BYTES REQUEST_TIMEOUT STOP_DELAY",
		p.Writer: "DATABASE_URL LOG_LEVEL WRITER_HTTP_ADDR NATS_URL NATS_TOKEN WRITER_NAME",
	} {
		process.Start("-h")
		if code := process.Wait(); code != 0 {
			t.Errorf("-h: exit code %d", code)
		}
		said := process.Output() + process.Stderr()
		for _, name := range strings.Fields(names) {
			if !strings.Contains(said, name) {
				t.Errorf("-h does not list %s", name)
			}
		}
	}
}

func TestConfig_secretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, secret string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := map[string]string{"NATS_TOKEN": "", "NATS_TOKEN_FILE": file("token", harness.Token)}
	p := harness.Start(t, harness.Options{
		API: map[string]string{
			"READ_WAIT": "20s", "WEBHOOK_SECRET": "", "WEBHOOK_SECRET_FILE": file("secret", harness.Secret),
			"NATS_TOKEN": "", "NATS_TOKEN_FILE": token["NATS_TOKEN_FILE"],
		},
		Writer: token,
	})
	p.Post(hello("one"))
	if page := p.Messages(); page.Total != 1 {
		t.Errorf("there are %d messages", page.Total)
	}
	connect(t, p)
}

func TestConfig_relativeDatabase(t *testing.T) {
	t.Parallel()
	relative := map[string]string{"READ_WAIT": "20s", "DATABASE_URL": "sqlite:///app.db"}
	p := harness.Start(t, harness.Options{API: relative, Writer: relative})
	p.Post(hello("one"))
	p.Messages()
	if _, err := os.Stat(p.Database); err != nil {
		t.Error(err)
	}
}

// TestConfig_wrongToken: a writer that the server refuses is not ready, and says
// why.
func TestConfig_wrongToken(t *testing.T) {
	t.Parallel()
	p := harness.New(t, harness.Options{Writer: map[string]string{"NATS_TOKEN": "wrong"}})
	p.API.Start()
	p.API.WaitStatus("/health/ready/ingest", 200)
	p.Writer.Start()
	p.Writer.WaitStatus("/health/live", 200)
	p.Writer.WaitStatus("/health/ready", 503)
	harness.Eventually(t, "a line about authorization", func() bool {
		return strings.Contains(strings.ToLower(p.Writer.Output()), "authorization")
	})
}
