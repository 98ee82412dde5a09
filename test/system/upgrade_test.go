package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

// newerVersion is a payload's version that this release does not know.
const newerVersion = 99

// newerWriter is a writer of a release to come, which reads that version as well.
func newerWriter(t *testing.T) string {
	t.Helper()
	return harness.Changed(t, "writer", "pkg/message/encoding.go", func(source string) string {
		return strings.Replace(source, "if p.Version != payloadVersion {", fmt.Sprintf("if p.Version != payloadVersion && p.Version != %d {", newerVersion), 1)
	})
}

// TestUpgrade_apiBeforeWriter: what an older writer cannot read it keeps, blocks
// nobody with it, and the newer one gives each its own place.
func TestUpgrade_apiBeforeWriter(t *testing.T) {
	t.Parallel()
	p := start(t)
	newer := func(id string, version int, more string) uint64 {
		return publish(t, p, "webhooks.plain", fmt.Sprintf(
			`{"v":%d,"message_id":%q,"from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z","text":"of tomorrow"%s}`, version, id, more))
	}
	if seq := newer("known version, unknown member", 1, `,"reactions":["+1"]`); seq > 0 {
		p.WaitApplied(seq)
	}
	if _, ok := p.Message("known version, unknown member"); !ok {
		t.Error("a member that this release does not know kept a message from being applied")
	}
	seq := newer("from tomorrow", newerVersion, "")
	p.Post(hello("behind it"))
	if page := p.Messages(); page.Total != 2 {
		t.Errorf("behind an entry of tomorrow there are %d messages", page.Total)
	}
	if r := p.MustRun("dead-letters", "list"); !strings.Contains(r.Stdout, fmt.Sprintf("version %d", newerVersion)) {
		t.Errorf("the reason is not told: %s", r.Stdout)
	}

	p.Writer.Stop()
	p.Writer.Become(newerWriter(t))
	p.Writer.StartReady()
	p.MustRun("dead-letters", "retry", "--all")
	row, ok := p.Message("from tomorrow")
	if !ok || row.Seq != seq || *row.Text != "of tomorrow" {
		t.Errorf("after the upgrade: %+v %v", row, ok)
	}
	p.MustRun("verify")
}

// TestUpgrade_oneProgramAtATime: the writer, then the api, under load behind a
// balancer. While the api restarts nobody is ready, which the balancer says; the
// api leaves no request without an answer.
func TestUpgrade_oneProgramAtATime(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"STOP_DELAY": "2s"}})
	balancer := harness.NewBalancer(t, p.Addr)
	c := load.Config{Addr: balancer.Addr, Ledger: &load.Ledger{}, Retry: true}
	res := underLoad(t, p, c, func() {
		p.Writer.Stop()
		p.Writer.Become(newerWriter(t))
		p.Writer.StartReady()
		p.API.Stop()
		p.API.StartReady()
		at := c.Ledger.Len()
		harness.Eventually(t, "acknowledgements after the upgrade", func() bool { return c.Ledger.Len() > at+200 })
	})
	for status := range res.Statuses {
		if status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Errorf("a request was answered %d", status)
		}
	}
	if res.Errors > 0 {
		t.Errorf("behind a balancer, requests got no answer: %v", res)
	}
	for _, what := range balancer.Wrong() {
		t.Errorf("behind the balancer: %s", what)
	}
	t.Log(p.WaitForAll(c.Payload, c.Ledger))
}
