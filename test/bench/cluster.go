package main

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
	"sluice/test/nodes"
)

// clusterConnections is how many connections each api is asked over.
const clusterConnections = 64

// shortestAsk is how long apis are asked at least, so that some are answered.
const shortestAsk = time.Second / 4

// measureClusters asks one, two and three apis on one replicated stream, each time
// in turn with an api by itself. Nothing is applied meanwhile.
func measureClusters(t testing.TB, s sizes) *report {
	r := &clusterRun{sizes: s, t: t, alone: quietAPI(t, "fsync")}
	figures := table{Title: "Accepted a second, one api by itself with `fsync` being 1; 64 connections to each api that is asked",
		Head: []string{"", "one api asked", "two", "three"}}

	figures.add("one api by itself, `process`", r.over([]*harness.Pipeline{quietAPI(t, "process")}), "", "")
	three := r.cluster(nodes.NewEmbedded(t, map[string]string{"ACK_DURABILITY": "replicated"}))
	figures.add("three apis, one cluster, `replicated`", three[0], three[1], three[2])
	synced := r.cluster(nodes.NewEmbedded(t, map[string]string{"ACK_DURABILITY": "fsync"}))
	figures.add("three apis, one cluster, `fsync`", synced[0], synced[1], synced[2])
	external := r.cluster(nodes.NewExternal(t, nodes.Size))
	figures.add("external cluster of three, `replicated`", external[0], external[1], external[2])

	return &report{
		Mode: "Logs at WARNING, the writers are stopped. Every server of a cluster, every api and the load are on this one machine: three replicas are " +
			"three times the work for the same processors and the same disk.",
		Tables: []table{figures},
	}
}

// quietAPI is a running api that has a stream of its own.
func quietAPI(t testing.TB, durability string) *harness.Pipeline {
	t.Helper()
	p := harness.New(t, harness.Options{API: map[string]string{"LOG_LEVEL": "WARNING", "ACK_DURABILITY": durability}})
	startAPI(p)
	return p
}

// clusterRun compares apis with one that is by itself.
type clusterRun struct {
	sizes
	t     testing.TB
	alone *harness.Pipeline
	loads uint64 // so far
}

// cluster starts a cluster, asks one, two and three of its apis, and ends it.
func (r *clusterRun) cluster(c *nodes.Cluster) (over [nodes.Size]string) {
	r.t.Helper()
	c.Start() // with the writers: an api is ready once there is a database
	defer c.End()
	for _, p := range c.Pipelines {
		p.Writer.Stop()
	}
	c.Leader()
	for n := range over {
		over[n] = r.over(c.Pipelines[:n+1])
	}
	return over
}

// over returns the rate of apis over that of the one by itself, the median of runs
// in turn.
func (r *clusterRun) over(apis []*harness.Pipeline) string {
	r.t.Helper()
	var quotients []float64
	for range r.runs {
		asked, alone := r.rate(apis), r.rate([]*harness.Pipeline{r.alone})
		quotients = append(quotients, asked/alone)
		r.t.Logf("%d apis: %.0f/s, one by itself: %.0f/s", len(apis), asked, alone)
	}
	return fmt.Sprintf("%.2f", median(quotients))
}

// rate asks all of the apis at the same time for the duration of a burst.
func (r *clusterRun) rate(apis []*harness.Pipeline) (rate float64) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), max(r.duration, shortestAsk))
	defer cancel()
	results := make([]*load.Result, len(apis))
	var all sync.WaitGroup
	for i, p := range apis {
		r.loads++
		payload := load.Payload{Seed: r.loads}
		all.Go(func() {
			results[i] = load.Run(ctx, load.Config{Addr: p.Addr, Secret: harness.Secret, Payload: payload, Connections: clusterConnections})
		})
	}
	all.Wait()
	for _, result := range results {
		if result.OK() == 0 {
			r.t.Fatalf("nothing was accepted: %v", result)
		}
		rate += result.Rate()
	}
	return rate
}
