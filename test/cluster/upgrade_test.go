package cluster

import (
	"fmt"
	"strings"
	"testing"

	"sluice/pkg/contract"
	"sluice/test/harness"
	"sluice/test/load"
	"sluice/test/nodes"
)

// TestUpgrade: three apis, their servers and their writers become another release,
// one program at a time, while senders post through a balancer. Old and new run
// side by side, and read what the other has written.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	c := newEmbedded(t, map[string]string{"ACK_DURABILITY": "replicated", "STOP_DELAY": "2s"})
	c.Start()
	c.Leader()
	var addrs []string
	for _, p := range c.Pipelines {
		addrs = append(addrs, p.Addr)
	}
	balancer := harness.NewBalancer(t, addrs...)
	c.startSenders(balancer.Addr)

	newer := map[string]string{}
	for _, name := range []string{"api", "writer"} {
		newer[name] = harness.Changed(t, name, "pkg/message/encoding.go", ofTomorrow)
	}
	upgrade := func(p *harness.Process, path string) {
		t.Helper()
		if code := p.Stop(); code != 0 {
			t.Errorf("a program was stopped and ended with exit code %d", code)
		}
		c.everybodySends() // what the others take meanwhile waits for it
		p.Become(path)
		p.StartReady()
		c.Leader() // no other may go before this one has caught up
	}
	for i, p := range c.Pipelines {
		c.wantReactions(i, false)
		c.hurt("upgrade of "+c.Nodes[i].Name, func() { upgrade(p.API, newer["api"]) })
		c.wantReactions(i, true)
		if i < nodes.Size-1 {
			upgrade(p.Writer, newer["writer"])
		}
		c.everybodySends()
	}
	c.audit() // by two newer writers and an older one
	for _, what := range balancer.Wrong() {
		t.Errorf("behind the balancer: %s", what)
	}
}

// wantReactions looks at what an api publishes: whether it is of the newer release.
func (c *cluster) wantReactions(api int, want bool) {
	c.t.Helper()
	p := c.Pipelines[api]
	seq := p.Post(load.Payload{Seed: uint64(1000 + api)}.WithDefaults().Message(uint64(c.acked())))
	var entry contract.Entry
	p.Decode(fmt.Sprintf("/entries/%d", seq), &entry)
	if strings.Contains(entry.Data, `"reactions":["+1"]`) != want {
		c.t.Errorf("api %d has published %s", api+1, entry.Data)
	}
}

// ofTomorrow makes a release of another day of this one: its payloads have a
// member more, which it reads too.
func ofTomorrow(source string) string {
	source = strings.Replace(source, "type payload struct {", "type payload struct {\nReactions []string `json:\"reactions\"`", 1)
	return strings.Replace(source, "encode(payload{payloadVersion,", `encode(payload{[]string{"+1"}, payloadVersion,`, 1)
}
