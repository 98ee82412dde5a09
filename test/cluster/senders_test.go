package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
	"sluice/test/nodes"
)

// cluster is nodes under load.
type cluster struct {
	*nodes.Cluster
	t       *testing.T
	senders []*sender

	stopSenders func()
}

// sender posts to one api for as long as the test runs.
type sender struct {
	payload load.Payload
	ledger  load.Ledger
	done    chan *load.Result
}

func newEmbedded(t *testing.T, env map[string]string) *cluster {
	t.Helper()
	return &cluster{Cluster: nodes.NewEmbedded(t, env), t: t}
}

func newExternal(t *testing.T, apis int) *cluster {
	t.Helper()
	return &cluster{Cluster: nodes.NewExternal(t, apis), t: t}
}

// start starts all there is, and a sender to each api.
func (c *cluster) start() {
	c.t.Helper()
	c.Start()
	var addrs []string
	for _, p := range c.Pipelines {
		addrs = append(addrs, p.Addr)
	}
	c.startSenders(addrs...)
}

// startSenders starts a sender to each address.
func (c *cluster) startSenders(addrs ...string) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	c.t.Cleanup(cancel)
	for i, addr := range addrs {
		s := &sender{payload: load.Payload{Seed: uint64(i + 1)}, done: make(chan *load.Result, 1)}
		c.senders = append(c.senders, s)
		go func() {
			s.done <- load.Run(ctx, load.Config{Addr: addr, Secret: harness.Secret, Payload: s.payload,
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

// everybodySends waits until each sender has been acknowledged more.
func (c *cluster) everybodySends() {
	c.t.Helper()
	for i, s := range c.senders {
		at := s.ledger.Len()
		harness.Eventually(c.t, fmt.Sprintf("acknowledgements of sender %d", i+1), func() bool { return s.ledger.Len() > at+20 })
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
		c.t.Logf("sender %d: %v", i+1, res)
		for status := range res.Statuses {
			if status != 200 && status != 503 {
				c.t.Errorf("sender %d was answered %d", i+1, status)
			}
		}
	}
	for i, p := range c.Pipelines {
		for _, s := range c.senders {
			a := p.WaitForAll(s.payload, &s.ledger)
			c.t.Logf("database %d: %d acknowledged to the sender with seed %d, %d lost, %d twice, %d wrong",
				i+1, a.Acked, s.payload.Seed, len(a.Missing), len(a.Twice), len(a.Wrong))
		}
		p.MustRun("verify")
	}
}
