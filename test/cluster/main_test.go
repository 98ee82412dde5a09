// Package cluster runs several apis and writers on one replicated stream, hurts
// the servers that keep it one at a time, and looks at what is left of the promises:
//
//   - What any api answered 200 is in every writer's database in the end: once,
//     and as it was sent.
//   - A request gets an answer. What cannot be kept is 503 with Retry-After.
//   - While most of the servers are there, webhooks are taken again within seconds.
//     The test prints how long it took; what it asserts is that it happens.
//   - An upgrade of one program at a time breaks none of that, and behind a
//     balancer no request goes without an answer.
//
// The servers are those inside the apis (NATS_CLUSTER_*), or nats-servers of their
// own (NATS_URL), built from the module that go.mod names. The short version is
// what go test runs, the long one is behind -long.
package cluster

import (
	"flag"
	"testing"

	"sluice/test/harness"
)

var long = flag.Bool("long", false, "run the faults again and again, for minutes instead of seconds")

// rounds is how often each fault happens.
func rounds() int {
	if *long {
		return 5
	}
	return 1
}

func TestMain(m *testing.M) { harness.Main(m) }
