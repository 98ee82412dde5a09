package cluster

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
	"sluice/test/load"
)

// size is how many servers keep the stream.
const size = 3

// node is one server of the cluster.
type node struct {
	name  string
	start func()
	stop  func() // as an upgrade does
	kill  func()
}

// cluster is the servers, the ways between them, and what stands on them.
type cluster struct {
	t         *testing.T
	nodes     []*node
	links     [size][size]*harness.Link // from, to
	pipelines []*harness.Pipeline       // an api and a writer with a database of its own each
	senders   []*sender
	js        jetstream.JetStream

	stopSenders func()
}

// sender posts to one api for as long as the test runs.
type sender struct {
	payload load.Payload
	ledger  load.Ledger
	done    chan *load.Result
}

// connectNodes lays the links over which the nodes, which listen on targets, reach
// one another.
func (c *cluster) connectNodes(targets []string) {
	for from := range size {
		for to := range size {
			if from != to {
				c.links[from][to] = harness.NewLink(c.t)
				c.links[from][to].To(targets[to])
			}
		}
	}
}

// routes is where a node finds the others.
func (c *cluster) routes(from int) string {
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

// partition blocks everything between a node and the others, or lets it through.
func (c *cluster) partition(n int, blocked bool) {
	for other := range size {
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
func (c *cluster) watch(urls string) {
	nc, err := nats.Connect(urls, nats.Token(harness.Token), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	if c.js, err = jetstream.New(nc); err != nil {
		c.t.Fatal(err)
	}
}

// leader waits until every replica of the stream is there and has all of it, and
// returns the node that leads. Every api is ready then.
func (c *cluster) leader() int {
	c.t.Helper()
	for _, p := range c.pipelines {
		p.API.WaitReady()
	}
	leader := -1
	harness.Eventually(c.t, "three replicas that have everything", func() bool {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		defer cancel()
		s, err := c.js.Stream(ctx, stream.Name)
		if err != nil {
			return false
		}
		info := s.CachedInfo().Cluster
		for _, replica := range info.Replicas {
			if !replica.Current || replica.Offline {
				return false
			}
		}
		for i, node := range c.nodes {
			if node.name == info.Leader && len(info.Replicas) == size-1 {
				leader = i
			}
		}
		return leader >= 0
	})
	return leader
}

// start starts all there is, and the senders.
func (c *cluster) start() {
	c.t.Helper()
	c.startPrograms()
	c.startSenders()
}

func (c *cluster) startPrograms() {
	c.t.Helper()
	for _, p := range c.pipelines {
		p.API.Start()
		p.Writer.Start()
	}
	for _, p := range c.pipelines {
		p.API.WaitReady()
		p.Writer.WaitReady()
	}
}

func (c *cluster) startSenders() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	c.t.Cleanup(cancel)
	for i, p := range c.pipelines {
		s := &sender{payload: load.Payload{Seed: uint64(i + 1)}, done: make(chan *load.Result, 1)}
		c.senders = append(c.senders, s)
		go func() {
			s.done <- load.Run(ctx, load.Config{Addr: p.Addr, Secret: harness.Secret, Payload: s.payload,
				Connections: 4, Rate: 200, Retry: true, Ledger: &s.ledger})
		}()
	}
	c.stopSenders = cancel
	c.everybodySends()
}

// acked is how many messages have been acknowledged.
func (c *cluster) acked() (n int) {
	for _, s := range c.senders {
		n += s.ledger.Len()
	}
	return n
}

// everybodySends waits until each api has acknowledged more.
func (c *cluster) everybodySends() {
	c.t.Helper()
	for i, s := range c.senders {
		at := s.ledger.Len()
		harness.Eventually(c.t, fmt.Sprintf("acknowledgements of api %d", i+1), func() bool { return s.ledger.Len() > at+20 })
	}
}

// hurt does something to the cluster and prints how long nobody was acknowledged.
func (c *cluster) hurt(what string, do func()) {
	c.t.Helper()
	ctx, over := context.WithCancel(c.t.Context())
	gap := make(chan time.Duration)
	go func() {
		var longest time.Duration
		for last, since := c.acked(), time.Now(); ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			if now := c.acked(); now != last {
				last, since = now, time.Now()
			}
			longest = max(longest, time.Since(since))
		}
		gap <- longest
	}()
	do()
	at := c.acked()
	harness.Eventually(c.t, "acknowledgements after "+what, func() bool { return c.acked() > at+50 })
	over()
	c.t.Logf("%-34s longest time without an acknowledgement: %v", what, (<-gap).Round(10*time.Millisecond))
}

// audit stops the senders and compares every database with what was acknowledged.
func (c *cluster) audit() {
	c.t.Helper()
	c.stopSenders()
	for i, s := range c.senders {
		res := <-s.done
		c.t.Logf("api %d: %v", i+1, res)
		for status := range res.Statuses {
			if status != 200 && status != 503 {
				c.t.Errorf("api %d answered %d", i+1, status)
			}
		}
	}
	for i, p := range c.pipelines {
		for _, s := range c.senders {
			a := p.WaitForAll(s.payload, &s.ledger)
			c.t.Logf("database %d: %d acknowledged of api with seed %d, %d lost, %d twice, %d wrong",
				i+1, a.Acked, s.payload.Seed, len(a.Missing), len(a.Twice), len(a.Wrong))
		}
		p.MustRun("verify")
	}
}

// port is the port of an address.
func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
