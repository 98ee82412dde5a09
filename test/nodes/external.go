package nodes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"sluice/test/harness"
)

// NewExternal makes a cluster of three nats-servers, built from the module that
// go.mod names, and as many apis and writers on it; nothing of it is started.
func NewExternal(t testing.TB, apis int) *Cluster {
	t.Helper()
	program := filepath.Join(t.TempDir(), "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("build nats-server: %v\n%s", err, out)
	}
	c := &Cluster{t: t}
	clients, routes := addresses(t)
	c.connect(routes)
	for i := range Size {
		name := fmt.Sprintf("nats-%d", i+1)
		c.servers = append(c.servers, newServer(t, program, name, "--addr=127.0.0.1", "--port="+port(clients[i]),
			"--auth="+harness.Token, "--cluster_name=external", "--cluster=nats://"+routes[i],
			"--cluster_advertise="+nowhere, "--routes="+c.routes(i)))
	}
	c.Nodes = c.servers
	servers := urls(clients)
	for i := range apis {
		name := writerName(i)
		c.Pipelines = append(c.Pipelines, harness.New(t, harness.Options{
			API:    map[string]string{"LOG_LEVEL": "WARNING", "NATS_URL": servers, "ACK_DURABILITY": "replicated", "WRITER_NAME": name},
			Writer: map[string]string{"NATS_URL": servers, "WRITER_NAME": name},
		}))
	}
	c.watch(servers)
	return c
}

// newServer makes a nats-server that is not started.
func newServer(t testing.TB, program, name string, args ...string) *Node {
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
	return &Node{
		Name: name,
		Kill: func() { end(syscall.SIGKILL) },
		Stop: func() { end(syscall.SIGTERM) },
		Start: func() {
			running = exec.Command(program, append(args, "--name="+name, "--jetstream", "--store_dir="+filepath.Join(dir, "data"))...)
			running.Stdout, running.Stderr = log, log
			if err := running.Start(); err != nil {
				t.Fatal(err)
			}
		},
	}
}
