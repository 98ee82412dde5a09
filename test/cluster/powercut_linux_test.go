package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"sluice/test/fault/disk"
	"sluice/test/nodes"
)

// TestPowerCut: one node at a time loses its power, and with it what it has not
// synced: replicated entries are on two nodes, so the others have them. It comes
// back under its name, with whatever its disk has kept. The short version cuts off the
// leader once, and then a follower, by the harshest rule.
func TestPowerCut(t *testing.T) {
	rules, cuts := disk.Rules[:1], uint64(2)
	if *long {
		rules, cuts = disk.Rules, 6
	}
	for _, rule := range rules {
		t.Run(rule.String(), func(t *testing.T) {
			c := newEmbedded(t, map[string]string{"ACK_DURABILITY": "replicated"})
			disks := make([]*disk.Disk, nodes.Size)
			for i, p := range c.Pipelines {
				dir := t.TempDir()
				d, err := disk.Mount(disk.Config{Dir: dir, Rule: rule})
				if errors.Is(err, disk.ErrUnsupported) {
					t.Skipf("NOT PROVEN: power cuts of a cluster's nodes: %v", err)
				}
				if err != nil {
					t.Fatal(err)
				}
				disks[i] = d
				p.API.Set("NATS_STORE_DIR", filepath.Join(dir, "jetstream"))
				t.Cleanup(func() {
					p.API.Kill()
					_ = d.Close() // the directory is removed next, and says whether it could be
				})
			}
			c.start()
			for cut := range cuts {
				node := (c.Leader() + int(cut)) % nodes.Size // the leader, then a follower, …
				c.hurt(fmt.Sprintf("power cut %d, of %s", cut+1, c.Nodes[node].Name), func() {
					loss, err := disks[node].Cut(disk.FateOf(cut), cut)
					if err != nil {
						t.Fatal(err)
					}
					c.Nodes[node].Kill()
					t.Logf("its disk lost %v", loss)
				})
				if err := disks[node].Restore(); err != nil {
					t.Fatal(err)
				}
				c.Nodes[node].Start()
				c.Leader()
				c.everybodySends()
			}
			c.audit()
		})
	}
}
