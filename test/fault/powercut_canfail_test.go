//go:build linux

package fault

import (
	"strings"
	"testing"
	"time"

	"sluice/test/fault/disk"
	"sluice/test/harness"
)

// TestPowerCut_canFail: power cuts lose messages as soon as one of the steps that
// make a 200 durable is left out, which is how we know that TestPowerCut could
// fail. The writer is away, so that nothing is left but the stream.
func TestPowerCut_canFail(t *testing.T) {
	process := map[string]string{"ACK_DURABILITY": "process"}
	for _, c := range []struct {
		name   string
		env    map[string]string
		change *strings.Replacer // of internal/natsd/barrier.go
		cut    func(*powerChain, *testing.T)
	}{
		{"process: no sync before the answer", process, nil, (*powerChain).cutUnderLoad},
		{"start: what was there is not synced", nil, strings.NewReplacer("b.disk.syncTree(b.root)", "error(nil)"), (*powerChain).cutUnderLoad},
		{"roll-over: the old block is not synced", nil, strings.NewReplacer("if err := b.syncTail(callers)", "if next {\n} else if err := b.syncTail(callers)"), (*powerChain).cutAfterRollOver},
		{"roll-over: the folder is not synced", nil, strings.NewReplacer("b.disk.syncDir(b.dir)", "error(nil)"), (*powerChain).cutAfterRollOver},
	} {
		t.Run(c.name, func(t *testing.T) {
			loses := func(chain uint64, o powerOptions) bool {
				p := newPowerChain(t, newRand(900+chain), disk.Strict, chain, o)
				defer p.close()
				c.cut(p, t)
				return p.lost(t)
			}
			if loses(0, powerOptions{}) {
				t.Fatal("the cut loses messages although no step was left out")
			}
			o := powerOptions{env: c.env}
			if c.change != nil {
				o.program = harness.Changed(t, "api", "internal/natsd/barrier.go", c.change.Replace)
			}
			const most = 40
			for chain := range uint64(most) {
				if loses(chain, o) {
					t.Logf("cut %d lost acknowledged messages", chain+1)
					return
				}
			}
			t.Errorf("%d power cuts lost nothing", most)
		})
	}
}

// cutUnderLoad cuts the power while messages come in.
func (c *powerChain) cutUnderLoad(t *testing.T) {
	t.Helper()
	s := send(t, c.p, c.load)
	c.p.API.Start()
	c.waitFor(t, 100)
	moment(c.rng, 50*time.Millisecond)
	c.cut(t, s)
}

// cutAfterRollOver cuts the power soon after a block was full.
func (c *powerChain) cutAfterRollOver(t *testing.T) {
	t.Helper()
	c.load.Payload.Padding, c.load.Count = longText, 0
	s := send(t, c.p, c.load)
	c.p.API.Start()
	c.waitFor(t, 100)
	before := c.blocks(t)
	harness.Eventually(t, "another block", func() bool { return c.blocks(t) > before })
	moment(c.rng, 50*time.Millisecond)
	c.cut(t, s)
}

// lost starts the programs on what is left and reports whether anything
// acknowledged is missing.
func (c *powerChain) lost(t *testing.T) bool {
	t.Helper()
	c.startAll(t)
	return len(c.audit(t).Missing) > 0
}
