package compose

import (
	"testing"

	"sluice/test/load"
)

// TestCluster: three apis keep the stream together; one container after the other
// dies, and every database gets everything.
func TestCluster(t *testing.T) {
	needEngine(t)
	s := newStack(t, "compose.cluster.yaml")
	s.up()
	s.waitReady()
	ledger := &load.Ledger{}
	s.post(t, ledger, func() {
		s.killEach("api-2", "writer-2")
		if !testing.Short() {
			s.killEach("api-3", "writer-3", "writer-1", "api-1")
		}
	})
	if !testing.Short() {
		s.downAndUp()
		s.post(t, ledger, func() {})
	}
	for _, writer := range []string{"writer-1", "writer-2", "writer-3"} {
		s.audit(writer, ledger)
	}
}
