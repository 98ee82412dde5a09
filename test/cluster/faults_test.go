package cluster

import "testing"

// runFaults hurts the nodes one at a time, and then compares.
func (c *cluster) runFaults(t *testing.T) {
	for range rounds() {
		follower := (c.leader() + 1) % size
		c.hurt("follower killed with -9", c.nodes[follower].kill)
		c.nodes[follower].start()

		leader := c.leader()
		c.hurt("leader killed with -9", c.nodes[leader].kill)
		c.nodes[leader].start()

		leader = c.leader()
		c.hurt("leader stopped", c.nodes[leader].stop)
		c.nodes[leader].start()

		leader = c.leader()
		c.hurt("leader cut off", func() { c.partition(leader, true) })
		c.partition(leader, false)

		for i, node := range c.nodes {
			c.leader()
			c.hurt("rolling restart of "+node.name, func() { c.nodes[i].stop(); c.nodes[i].start() })
		}
		c.leader()
		c.everybodySends()
	}
	c.audit()
}
