package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"sluice/test/fault/disk"
)

// TestPowerCut: one node at a time loses its power, and with it what it has not
// synced: replicated entries are on two nodes, so the others have them. It comes
// back under its name, with whatever its disk has kept.
func TestPowerCut(t *testing.T) {
	if !*long {
		t.Skip("make fault-cluster runs it")
	}
	for _, rule := range disk.Rules {
		t.Run(rule.String(), func(t *testing.T) {
			c := newEmbedded(t, map[string]string{"ACK_DURABILITY": "replicated"})
			disks := make([]*disk.Disk, size)
			for i, p := range c.pipelines {
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
			for cut := range uint64(6) {
				node := (c.leader() + int(cut)) % size // the leader, then a follower, …
				c.hurt(fmt.Sprintf("power cut %d, of %s", cut+1, c.nodes[node].name), func() {
					loss, err := disks[node].Cut(disk.FateOf(cut), cut)
					if err != nil {
						t.Fatal(err)
					}
					c.nodes[node].kill()
					t.Logf("its disk lost %v", loss)
				})
				if err := disks[node].Restore(); err != nil {
					t.Fatal(err)
				}
				c.nodes[node].start()
				c.leader()
				c.everybodySends()
			}
			c.audit()
		})
	}
}
