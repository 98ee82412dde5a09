package compose

import (
	"testing"

	"sluice/test/load"
)

// TestExternal: the stream is on a cluster of three NATS servers; one of them dies.
func TestExternal(t *testing.T) {
	leaveOut(t)
	needEngine(t)
	s := newStack(t, "compose.yaml", "compose.external.yaml")
	s.env["NATS_IMAGE"] = natsImage(t)
	s.up()
	s.waitReady()
	ledger := &load.Ledger{}
	s.post(t, ledger, func() {
		s.must("docker", "kill", "-s", "KILL", s.container("nats-2"))
		s.waitReady()
	})
	s.audit("writer", ledger)
}
