package system

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

// underLoad runs during while messages are posted, and returns what became of
// them once it is over. during begins when some have been acknowledged.
func underLoad(t *testing.T, p *harness.Pipeline, c load.Config, during func()) *load.Result {
	t.Helper()
	if c.Addr == "" {
		c.Addr = p.Addr
	}
	c.Secret, c.Connections = harness.Secret, 16
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan *load.Result, 1)
	before := c.Ledger.Len()
	go func() { done <- load.Run(ctx, c) }()
	harness.Eventually(t, "some acknowledged messages", func() bool { return c.Ledger.Len() >= before+200 })
	during()
	cancel()
	res := <-done
	t.Log(res)
	return res
}

func TestStart_apiBeforeWriter(t *testing.T) {
	t.Parallel()
	p := harness.New(t, harness.Options{API: patient})
	p.API.Start()
	p.API.WaitStatus("/health/ready/ingest", 200)
	p.Post(numbered("early", 20)...)
	for _, path := range []string{"/messages", "/messages/early00001", "/stats"} {
		wantDetail(t, p.Get(path), 503)
	}
	for _, path := range []string{"/health/ready", "/health/ready/query"} {
		if res := p.Get(path); res.Status != 503 {
			t.Errorf("GET %s without a database: %d %s", path, res.Status, res.Body)
		}
	}
	if res := p.Get("/health/live"); res.Status != 200 || string(res.Body) != `{"status":"ok"}` {
		t.Errorf("/health/live: %d %s", res.Status, res.Body)
	}

	if r := p.Run("healthcheck"); r.Code != 1 {
		t.Errorf("the healthcheck of a writer that does not run: %+v", r)
	}

	p.Writer.StartReady()
	p.API.WaitReady()
	p.MustRun("healthcheck")
	if page := p.Messages(); page.Total != 20 {
		t.Errorf("with a writer there are %d messages", page.Total)
	}
}

func TestStart_writerBeforeAPI(t *testing.T) {
	t.Parallel()
	p := harness.New(t, harness.Options{API: patient})
	p.Writer.Start()
	p.Writer.WaitStatus("/health/live", 200)
	p.Writer.WaitStatus("/health/ready", 503)
	p.API.StartReady()
	p.Writer.WaitReady()
	p.Post(hello("one"))
	if page := p.Messages(); page.Total != 1 {
		t.Errorf("there are %d messages", page.Total)
	}
}

// TestWriterAway: the api accepts, and a GET answers with what there is instead
// of waiting: READ_WAIT is longer than the client's patience.
func TestWriterAway(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"stopped", "killed"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			p := harness.Start(t, harness.Options{API: map[string]string{"READ_WAIT": "1h"}})
			p.Post(hello("before"))
			p.Messages()
			if end == "stopped" {
				if code := p.Writer.Stop(); code != 0 {
					t.Errorf("the writer ended with exit code %d", code)
				}
			} else {
				p.Writer.Kill()
			}

			p.Post(numbered("meanwhile", 50)...)
			if page := p.Messages(); page.Total != 1 || page.Data[0].ID != "before" {
				t.Errorf("without a writer: %+v", page)
			}
			if _, ok := p.Message("before"); !ok {
				t.Error("a message that was there is gone")
			}
			p.Get("/stats")

			p.Writer.StartReady()
			if page := p.Messages(); page.Total != 51 {
				t.Errorf("with the writer back: %d messages", page.Total)
			}
		})
	}
}

func TestKill_losesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := load.Config{Ledger: &load.Ledger{}, Retry: true}
	round := func(during func()) {
		underLoad(t, p, c, func() {
			during()
			at := c.Ledger.Len()
			harness.Eventually(t, "acknowledgements after the restart", func() bool { return c.Ledger.Len() > at+200 })
		})
		c.First = c.Ledger.Next()
	}
	round(func() { p.API.Kill(); p.API.Start() })
	round(func() { p.Writer.Kill(); p.Writer.Start() })
	round(func() { p.API.Kill(); p.Writer.Kill(); p.Writer.Start(); p.API.Start() })
	round(func() { p.Writer.Kill(); p.API.Kill(); p.API.Start(); p.Writer.Start() })
	t.Log(p.WaitForAll(c.Payload, c.Ledger))
	p.API.WaitReady()
	p.Writer.WaitReady()
}

// TestStop_underLoad: what the api accepted it answers, so that the stream holds
// nothing that no sender was told of.
func TestStop_underLoad(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t)
			c := load.Config{Ledger: &load.Ledger{}}
			res := underLoad(t, p, c, func() {
				p.API.Signal(signal)
				if code := p.API.Wait(); code != 0 {
					t.Errorf("the api ended with exit code %d", code)
				}
			})
			for status := range res.Statuses {
				if status != 200 && status != 503 {
					t.Errorf("a request was answered %d", status)
				}
			}
			if code := p.Writer.Stop(); code != 0 {
				t.Errorf("the writer ended with exit code %d", code)
			}

			p.StartBoth()
			p.Post(hello("last"))
			p.Messages()
			a := p.WaitForAll(c.Payload, c.Ledger)
			if a.Unknown != 1 {
				t.Errorf("the stream took messages without an answer: %s", a)
			}
		})
	}
}

// TestStop_delay: before it stops listening, the api says that it is not ready, and
// answers all the same; whoever got an answer comes back on another connection.
func TestStop_delay(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"STOP_DELAY": "1h"}})
	p.Post(hello("before"))
	p.API.Signal(syscall.SIGTERM)
	p.API.WaitStatus("/health/ready/ingest", 503)
	res := p.PostBody(load.Body(hello("meanwhile")))
	if res.Status != 200 || !res.Close {
		t.Errorf("an api that is about to stop answered %d, Connection: close %t", res.Status, res.Close)
	}
}

func TestStop_writerUnderLoad(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := load.Config{Ledger: &load.Ledger{}}
	res := underLoad(t, p, c, func() {
		for range 3 {
			if code := p.Writer.Stop(); code != 0 {
				t.Errorf("the writer ended with exit code %d", code)
			}
			var verdict string
			if err := p.Open().QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
				t.Errorf("integrity check: %s %v", verdict, err)
			}
			p.Writer.StartReady()
		}
	})
	if res.Errors > 0 || res.OK() != uint64(c.Ledger.Len()) || len(res.Statuses) != 1 {
		t.Errorf("while the writer was away: %v", res)
	}
	if a := p.WaitForAll(c.Payload, c.Ledger); a.Unknown != 0 {
		t.Error(a)
	}
}

// TestStandby: a second writer on the same database waits and takes over.
func TestStandby(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(hello("one"))
	p.Messages()

	second := harness.NewWriter(t, p)
	second.Start()
	second.WaitStatus("/health/live", 200)
	second.WaitStatus("/health/ready", 503)
	p.Post(hello("two"))
	if page := p.Messages(); page.Total != 2 {
		t.Errorf("beside a standby there are %d messages", page.Total)
	}

	p.Writer.Kill()
	second.WaitReady()
	p.Post(hello("three"))
	harness.Eventually(t, "the standby's first message", func() bool { return p.Messages().Total == 3 })
}

func TestStart_twiceOnOnePort(t *testing.T) {
	t.Parallel()
	p := start(t)
	second := harness.New(t, harness.Options{API: map[string]string{"HTTP_ADDR": p.Addr}})
	second.API.Start()
	if code := second.API.Wait(); code != 1 {
		t.Errorf("the second api on %s ended with exit code %d", p.Addr, code)
	}
	p.Post(hello("the first goes on"))
	fmt.Fprint(t.Output(), second.API.Stderr())
}
