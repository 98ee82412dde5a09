package compose

import (
	"context"
	"strings"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

func TestCompose(t *testing.T) {
	needEngine(t)
	s := newStack(t, "compose.yaml")
	s.up()
	s.waitReady()

	t.Run("runs as nobody and cannot write its root", func(t *testing.T) {
		for _, service := range []string{"api", "writer"} {
			got := s.inspect(service, "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.CapDrop}}")
			if got != "65532:65532 true unless-stopped [ALL]" {
				t.Errorf("%s runs with %s", service, got)
			}
			if memory := s.inspect(service, "{{.HostConfig.Memory}}"); memory == "0" {
				t.Errorf("%s may take all of the memory", service)
			}
			if version := s.must("./compose.sh", "exec", "-T", service, "/"+service, "version"); !strings.Contains(version, "test (commit of-a-test, go") {
				t.Errorf("%s was built as %s", service, version)
			}
		}
	})

	ledger := &load.Ledger{}
	s.post(t, ledger, func() {
		s.killEach("writer", "api")
		s.must("./compose.sh", "restart")
		s.waitReady()
	})
	s.audit("writer", ledger)

	s.downAndUp()
	s.post(t, ledger, func() {})
	s.audit("writer", ledger)

	for _, service := range []string{"api", "writer"} {
		s.must("./compose.sh", "stop", service)
		if code := s.inspect(service, "{{.State.ExitCode}}"); code != "0" {
			t.Errorf("%s was stopped and ended with exit code %s", service, code)
		}
	}
}

// post posts messages before, during and after what happens meanwhile, as a sender
// does that repeats what was not answered 200.
func (s *stack) post(t *testing.T, ledger *load.Ledger, meanwhile func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan *load.Result, 1)
	begun := ledger.Len()
	go func() {
		done <- load.Run(ctx, load.Config{Addr: s.addr, Secret: secret, Connections: 4, First: ledger.Next(), Retry: true, Rate: 500, Ledger: ledger})
	}()
	defer func() { cancel(); t.Log(<-done) }()
	harness.Eventually(t, "the first acknowledgements", func() bool { return ledger.Len() > begun+50 })
	meanwhile()
	at := ledger.Len()
	harness.Eventually(t, "further acknowledgements", func() bool { return ledger.Len() > at+50 })
}
