package cluster

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

// TestThroughput prints what apis and replicas cost. All processes and the load
// share this machine, so ratios are what to read.
func TestThroughput(t *testing.T) {
	if *measure == 0 {
		t.Skip("make bench-cluster runs it")
	}
	t.Logf("%d processors, %v each, 64 connections to each api", runtime.NumCPU(), *measure)
	for _, durability := range []string{"fsync", "process"} {
		t.Run("one api by itself, "+durability, func(t *testing.T) {
			p := harness.New(t, harness.Options{API: map[string]string{"LOG_LEVEL": "WARNING", "ACK_DURABILITY": durability}})
			p.StartBoth()
			report(t, []*harness.Pipeline{p})
		})
	}
	for _, durability := range []string{"replicated", "fsync"} {
		for apis := 1; apis <= size; apis++ {
			t.Run(fmt.Sprintf("cluster of three apis, %s, %d of them asked", durability, apis), func(t *testing.T) {
				c := newEmbedded(t, map[string]string{"ACK_DURABILITY": durability})
				c.startPrograms()
				c.leader()
				report(t, c.pipelines[:apis])
			})
		}
	}
	for apis := 1; apis <= size; apis++ {
		t.Run(fmt.Sprintf("external cluster, replicated, %d apis", apis), func(t *testing.T) {
			c := newExternal(t, apis)
			for _, node := range c.nodes {
				node.start()
			}
			c.startPrograms()
			c.leader()
			report(t, c.pipelines)
		})
	}
}

// report posts to the apis as fast as they answer.
func report(t *testing.T, apis []*harness.Pipeline) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *measure)
	defer cancel()
	results := make([]*load.Result, len(apis))
	var all sync.WaitGroup
	for i, p := range apis {
		all.Go(func() {
			results[i] = load.Run(ctx, load.Config{Addr: p.Addr, Secret: harness.Secret, Payload: load.Payload{Seed: uint64(i)}, Connections: 64})
		})
	}
	all.Wait()
	var rate float64
	for _, result := range results {
		rate += result.Rate()
		t.Log(result)
	}
	t.Logf("%.0f accepted/s", rate)
}
