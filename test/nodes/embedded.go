package nodes

import (
	"fmt"
	"maps"
	"testing"

	"sluice/test/harness"
)

// NewEmbedded makes three apis whose own servers are the cluster, each with a
// writer and a database beside it; env is for the apis. Nothing of it is started.
func NewEmbedded(t testing.TB, env map[string]string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	clients, routes := addresses(t)
	c.connect(routes)
	servers := urls(clients)
	for i := range Size {
		name := fmt.Sprintf("api-%d", i+1)
		api := map[string]string{
			"LOG_LEVEL": "WARNING", "WRITER_NAME": writerName(i),
			"NATS_LISTEN": clients[i], "NATS_CLUSTER_LISTEN": routes[i], "NATS_CLUSTER_NODE": name,
			"NATS_CLUSTER_ROUTES": c.routes(i), "NATS_CLUSTER_TOKEN": harness.Token, "NATS_CLUSTER_ADVERTISE": nowhere,
		}
		maps.Copy(api, env)
		p := harness.New(t, harness.Options{API: api, Writer: map[string]string{
			"NATS_URL": servers, "WRITER_NAME": api["WRITER_NAME"],
		}})
		c.Pipelines = append(c.Pipelines, p)
		c.Nodes = append(c.Nodes, &Node{Name: name, Start: func() { p.API.Start() }, Kill: p.API.Kill, Stop: func() { p.API.Stop() }})
	}
	c.watch(servers)
	return c
}
