package cluster

import (
	"testing"

	"sluice/test/nodes"
)

// runFaults hurts the nodes one at a time, and then compares.
func (c *cluster) runFaults(t *testing.T) {
	for range rounds() {
		follower := (c.Leader() + 1) % nodes.Size
		c.hurt("follower killed with -9", c.Nodes[follower].Kill)
		c.Nodes[follower].Start()

		leader := c.Leader()
		c.hurt("leader killed with -9", c.Nodes[leader].Kill)
		c.Nodes[leader].Start()

		leader = c.Leader()
		c.hurt("leader stopped", c.Nodes[leader].Stop)
		c.Nodes[leader].Start()

		leader = c.Leader()
		c.hurt("leader cut off", func() { c.Partition(leader, true) })
		c.Partition(leader, false)

		for i, node := range c.Nodes {
			c.Leader()
			c.hurt("rolling restart of "+node.Name, func() { c.Nodes[i].Stop(); c.Nodes[i].Start() })
		}
		c.Leader()
		c.everybodySends()
	}
	c.audit()
}
