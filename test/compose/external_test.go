package compose

import (
	"testing"

	"sluice/test/load"
)

// TestExternal: the stream is on a cluster of three NATS servers; one container
// after the other dies.
func TestExternal(t *testing.T) {
	needEngine(t)
	s := newStack(t, "compose.yaml", "compose.external.yaml")
	s.env["NATS_IMAGE"] = natsImage(t)
	s.up()
	s.waitReady()
	ledger := &load.Ledger{}
	s.post(t, ledger, func() {
		s.killEach("nats-2")
		if !testing.Short() {
			s.killEach("nats-3", "nats-1", "writer", "api")
		}
	})
	if !testing.Short() {
		s.downAndUp()
		s.post(t, ledger, func() {})
	}
	s.audit("writer", ledger)
}
