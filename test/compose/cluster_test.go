package compose

import (
	"testing"

	"sluice/test/load"
)

// TestCluster: three apis keep the stream together; one of them dies, and every
// database gets everything.
func TestCluster(t *testing.T) {
	leaveOut(t)
	needEngine(t)
	s := newStack(t, "compose.cluster.yaml")
	s.up()
	s.waitReady()
	ledger := &load.Ledger{}
	s.post(t, ledger, func() {
		s.kill("api-2")
		s.waitReady()
	})
	for _, writer := range []string{"writer-1", "writer-2", "writer-3"} {
		s.audit(writer, ledger)
	}
}
