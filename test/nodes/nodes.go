// Package nodes starts what several apis stand on: a cluster of servers that keep
// the stream together, and on it apis and writers, all of them real programs.
package nodes

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/stream"
	"sluice/test/harness"
)

// Size is how many servers keep the stream.
const Size = 3

// Node is one server of the cluster.
type Node struct {
	Name  string
	Start func()
	Stop  func() // as an upgrade does
	Kill  func()
}

// Cluster is the servers, the ways between them, and what stands on them.
type Cluster struct {
	Nodes     []*Node
	Pipelines []*harness.Pipeline // an api and a writer with a database of its own each
	JS        jetstream.JetStream

	t       testing.TB
	links   [Size][Size]*harness.Link // from, to
	servers []*Node                   // those that are programs of their own
}

// connect lays the links over which the nodes, which listen on targets, reach one
// another.
func (c *Cluster) connect(targets []string) {
	for from := range Size {
		for to := range Size {
			if from != to {
				c.links[from][to] = harness.NewLink(c.t)
				c.links[from][to].To(targets[to])
			}
		}
	}
}

// routes is where a node finds the others.
func (c *Cluster) routes(from int) string {
	var routes []string
	for _, link := range c.links[from] {
		if link != nil {
			routes = append(routes, "nats://"+link.Addr)
		}
	}
	return strings.Join(routes, ",")
}

// nowhere is what nodes tell each other of themselves: the links are the only way.
const nowhere = "127.0.0.1:1"

// Partition blocks everything between a node and the others, or lets it through.
func (c *Cluster) Partition(n int, blocked bool) {
	for other := range Size {
		for _, link := range []*harness.Link{c.links[n][other], c.links[other][n]} {
			if link == nil {
				continue
			}
			if blocked {
				link.Set(func() { link.Blocked = true })
			} else {
				link.Set(func() { link.Cut = true }) // what was held back comes too late
				link.Restore()
			}
		}
	}
}

// watch connects to the servers, to see who leads.
func (c *Cluster) watch(urls string) {
	nc, err := nats.Connect(urls, nats.Token(harness.Token), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	if c.JS, err = jetstream.New(nc); err != nil {
		c.t.Fatal(err)
	}
}

// Start starts the servers and the programs, and returns when all are ready.
func (c *Cluster) Start() {
	c.t.Helper()
	for _, server := range c.servers {
		server.Start()
	}
	for _, p := range c.Pipelines {
		p.API.Start()
		p.Writer.Start()
	}
	for _, p := range c.Pipelines {
		p.API.WaitReady()
		p.Writer.WaitReady()
	}
}

// End ends all of it at once.
func (c *Cluster) End() {
	c.t.Helper()
	for _, p := range c.Pipelines {
		p.Writer.Kill()
		p.API.Kill()
	}
	for _, server := range c.servers {
		server.Kill()
	}
}

// Leader waits until every replica of the stream is there and has all of it, and
// returns the node that leads. Every api is ready then.
func (c *Cluster) Leader() int {
	c.t.Helper()
	for _, p := range c.Pipelines {
		p.API.WaitReady()
	}
	leader := -1
	harness.Eventually(c.t, "three replicas that have everything", func() bool {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		defer cancel()
		s, err := c.JS.Stream(ctx, stream.Name)
		if err != nil {
			return false
		}
		info := s.CachedInfo().Cluster
		for _, replica := range info.Replicas {
			if !replica.Current || replica.Offline {
				return false
			}
		}
		for i, node := range c.Nodes {
			if node.Name == info.Leader && len(info.Replicas) == Size-1 {
				leader = i
			}
		}
		return leader >= 0
	})
	return leader
}

// port is the port of an address.
func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// addresses returns free ones for the nodes: for clients, and for one another.
func addresses(t testing.TB) (clients, routes []string) {
	for range Size {
		clients, routes = append(clients, harness.FreeAddress(t)), append(routes, harness.FreeAddress(t))
	}
	return clients, routes
}

// urls is how a client is told of servers.
func urls(addresses []string) string { return "nats://" + strings.Join(addresses, ",nats://") }

func writerName(i int) string { return fmt.Sprintf("writer-%d", i+1) }
