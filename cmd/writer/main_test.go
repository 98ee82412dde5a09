package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestProgram_usageAndExitCodes(t *testing.T) {
	tests := []struct {
		args           []string
		environ        map[string]string
		exit           int
		stdout, stderr string // what is among it
	}{
		{[]string{"help"}, nil, exitDone, "WRITER_NAME", ""},
		{[]string{"-h"}, nil, exitDone, "sqlite:////data/app.db", ""},
		{[]string{"version"}, nil, exitDone, "(commit ", ""},
		{[]string{"healthcheck", "alive"}, nil, exitUsage, "", `writer healthcheck: "alive": ask for one of ready`},
		{[]string{"healthcheck"}, map[string]string{"WRITER_HTTP_ADDR": "127.0.0.1:1"}, exitFailed, "", "writer healthcheck: "},
		{[]string{"rebuilt"}, nil, exitUsage, "", `unknown command "rebuilt"`},
		{[]string{"verify", "--from", "10", "--to", "5"}, nil, exitUsage, "", "nothing from 10 to 5"},
		{[]string{"replay", "--to-subject", "x", "--from", "14155550100"}, nil, exitUsage, "", `--from "14155550100" is no number`},
		{[]string{"replay", "--to-subject", "x", "--since", "2025-01-15T10:00:00Z", "--until", "2025-01-15T10:00:00Z"}, nil, exitUsage, "", "there is nothing from"},
		{nil, map[string]string{"LOG_LEVEL": "LOUD"}, exitUsage, "", `writer: LOG_LEVEL="LOUD": must be`},
		{nil, map[string]string{"WRITER_NAME": "a b"}, exitUsage, "", `writer: WRITER_NAME="a b": must`},
		{nil, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, exitUsage, "", "writer: OTEL_EXPORTER_OTLP_ENDPOINT: must be like http://127.0.0.1:4318"},
		{nil, map[string]string{"WRITER_HTTP_ADDR": "8001"}, exitUsage, "", `writer: WRITER_HTTP_ADDR="8001": must`},
		{nil, map[string]string{"WRITER_HTTP_ADDR": "192.0.2.1:8001"}, exitFailed, `"level":"ERROR"`, "writer: WRITER_HTTP_ADDR: listen tcp 192.0.2.1:8001"},
		{nil, map[string]string{"WRITER_HTTP_ADDR": "127.0.0.1:0", "DATABASE_URL": "sqlite:////dev/null/app.db"},
			exitFailed, `"level":"ERROR"`, "writer: open database /dev/null/app.db"},
	}
	for _, test := range tests {
		if test.environ == nil {
			test.environ = map[string]string{}
		}
		var stdout, stderr strings.Builder
		exit := program(t.Context(), test.args, test.environ, &stdout, &stderr)
		if exit != test.exit || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("%q %v: exit %d, want %d\nstdout: %s\nstderr: %s", test.args, test.environ, exit, test.exit, &stdout, &stderr)
		}
	}
}

func TestProgram_servesWhileItWaitsForTheStreamAndStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stdout, lines := io.Pipe()
	exit := make(chan int)
	go func() {
		exit <- program(ctx, nil, map[string]string{
			"DATABASE_URL":     "sqlite:///" + filepath.Join(t.TempDir(), "app.db"),
			"WRITER_HTTP_ADDR": "127.0.0.1:0",
			"NATS_URL":         "nats://127.0.0.1:1", // nobody listens there
			"NATS_TOKEN":       "hunter2",
		}, lines, io.Discard)
		lines.Close()
	}()

	var log []map[string]any
	decoder := json.NewDecoder(stdout)
	addr := ""
	for addr == "" {
		var line map[string]any
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("after %v: %v", log, err)
		}
		log = append(log, line)
		if line["msg"] == "listening" {
			addr = line["addr"].(string)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()

	for path, want := range map[string]int{"/health/live": 200, "/health/ready": 503, "/metrics": 200} {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	for _, line := range log {
		for _, key := range []string{"ts", "level", "msg"} {
			if _, ok := line[key].(string); !ok {
				t.Errorf("a line without %s: %v", key, line)
			}
		}
	}
	stop()
	if got := <-exit; got != exitDone {
		t.Errorf("exit %d", got)
	}
}
