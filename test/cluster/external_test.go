package cluster

import "testing"

// TestExternal: two apis and two writers on three nats-servers.
func TestExternal(t *testing.T) {
	t.Parallel()
	c := newExternal(t, 2)
	c.start()
	c.runFaults(t)
}
