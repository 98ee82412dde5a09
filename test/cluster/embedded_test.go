package cluster

import "testing"

// TestEmbedded: three apis whose own servers are the cluster, each with a writer
// and a database beside it.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	c := newEmbedded(t, map[string]string{"ACK_DURABILITY": "replicated"})
	c.start()
	c.runFaults(t)
}
