package cluster

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"sluice/test/harness"
)

// TestEmbedded: three apis whose own servers are the cluster, each with a writer
// and a database beside it.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	c := newEmbedded(t, map[string]string{"ACK_DURABILITY": "replicated"})
	c.start()
	c.runFaults(t)
}

// newEmbedded makes the cluster; nothing of it is started.
func newEmbedded(t *testing.T, env map[string]string) *cluster {
	t.Helper()
	c := &cluster{t: t}
	clients, routes := make([]string, size), make([]string, size)
	for i := range size {
		clients[i], routes[i] = harness.FreeAddress(t), harness.FreeAddress(t)
	}
	c.connectNodes(routes)
	servers := "nats://" + strings.Join(clients, ",nats://")
	for i := range size {
		name := fmt.Sprintf("api-%d", i+1)
		api := map[string]string{
			"LOG_LEVEL": "WARNING", "WRITER_NAME": fmt.Sprintf("writer-%d", i+1),
			"NATS_LISTEN": clients[i], "NATS_CLUSTER_LISTEN": routes[i], "NATS_CLUSTER_NODE": name,
			"NATS_CLUSTER_ROUTES": c.routes(i), "NATS_CLUSTER_TOKEN": harness.Token, "NATS_CLUSTER_ADVERTISE": nowhere,
		}
		maps.Copy(api, env)
		p := harness.New(t, harness.Options{API: api, Writer: map[string]string{
			"NATS_URL": servers, "WRITER_NAME": api["WRITER_NAME"],
		}})
		c.pipelines = append(c.pipelines, p)
		c.nodes = append(c.nodes, &node{name: name, start: func() { p.API.Start() }, kill: p.API.Kill, stop: func() { p.API.Stop() }})
	}
	c.watch(servers)
	return c
}
