package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/test/harness"
)

// TestExternal: two apis and two writers on three nats-servers.
func TestExternal(t *testing.T) {
	t.Parallel()
	c := newExternal(t, 2)
	for _, node := range c.nodes {
		node.start()
	}
	c.start()
	c.runFaults(t)
}

// newExternal makes the cluster and as many apis on it; nothing of it is started.
func newExternal(t *testing.T, apis int) *cluster {
	t.Helper()
	program := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build nats-server: %v\n%s", err, out)
	}
	c := &cluster{t: t}
	clients, routes := make([]string, size), make([]string, size)
	for i := range size {
		clients[i], routes[i] = harness.FreeAddress(t), harness.FreeAddress(t)
	}
	c.connectNodes(routes)
	for i := range size {
		name := fmt.Sprintf("nats-%d", i+1)
		c.nodes = append(c.nodes, newServer(t, program, name, "--addr=127.0.0.1", "--port="+port(clients[i]),
			"--auth="+harness.Token, "--cluster_name=external", "--cluster=nats://"+routes[i],
			"--cluster_advertise="+nowhere, "--routes="+c.routes(i)))
	}
	servers := "nats://" + strings.Join(clients, ",nats://")
	for i := range apis {
		name := fmt.Sprintf("writer-%d", i+1)
		c.pipelines = append(c.pipelines, harness.New(t, harness.Options{
			API:    map[string]string{"LOG_LEVEL": "WARNING", "NATS_URL": servers, "ACK_DURABILITY": "replicated", "WRITER_NAME": name},
			Writer: map[string]string{"NATS_URL": servers, "WRITER_NAME": name},
		}))
	}
	c.watch(servers)
	return c
}

// newServer makes a nats-server that is not started.
func newServer(t *testing.T, program, name string, args ...string) *node {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	var running *exec.Cmd
	end := func(signal syscall.Signal) {
		if running == nil {
			return
		}
		_ = running.Process.Signal(signal) // it may have ended
		_ = running.Wait()
		running = nil
	}
	t.Cleanup(func() {
		end(syscall.SIGKILL)
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", name, said[max(0, len(said)-4000):])
		}
		log.Close()
	})
	return &node{
		name: name,
		kill: func() { end(syscall.SIGKILL) },
		stop: func() { end(syscall.SIGTERM) },
		start: func() {
			running = exec.Command(program, append(args, "--name="+name, "--jetstream", "--store_dir="+filepath.Join(dir, "data"))...)
			running.Stdout, running.Stderr = log, log
			if err := running.Start(); err != nil {
				t.Fatal(err)
			}
		},
	}
}
