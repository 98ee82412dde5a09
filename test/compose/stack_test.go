package compose

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

const secret = "compose test secret"

// stack is a Compose project with volumes, a port and a .env of its own.
type stack struct {
	t    *testing.T
	dir  string   // a copy of deploy/compose, inside a copy of what images are made of
	addr string   // of the api that is posted to on this host, host:port
	apis []string // addresses of all of them
	env  map[string]string
}

// newStack prepares a project that runs these Compose files and removes all of it
// when the test ends.
func newStack(t *testing.T, files ...string) *stack {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	command(t, "cp", "-r", root+"/.dockerignore", root+"/go.mod", root+"/go.sum", root+"/cmd", root+"/internal", root+"/pkg", copied)
	if err := os.Mkdir(filepath.Join(copied, "deploy"), 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "cp", "-r", root+"/deploy/compose", filepath.Join(copied, "deploy"))
	addr := harness.FreeAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	s := &stack{t: t, dir: filepath.Join(copied, "deploy", "compose"), addr: addr, env: map[string]string{
		"COMPOSE_PROJECT_NAME": "sluicetest" + strconv.Itoa(os.Getpid()),
		"COMPOSE_FILE":         strings.Join(files, ":"),
		"API_PORT":             "127.0.0.1:" + port,
		"GO_IMAGE":             goImage(t),
		"VERSION":              "test", "COMMIT": "of-a-test",
		"DOCKER_BUILDKIT": "0", // BuildKit would ask a registry for an image of this machine
		"WEBHOOK_SECRET":  secret,
	}}
	s.apis = []string{addr}
	for _, n := range []string{"2", "3"} {
		addr := harness.FreeAddress(t)
		_, port, _ := net.SplitHostPort(addr)
		s.env["API_PORT_"+n] = "127.0.0.1:" + port
		if slices.Contains(files, "compose.cluster.yaml") {
			s.apis = append(s.apis, addr)
		}
	}
	_ = os.Remove(filepath.Join(s.dir, ".env"))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.compose("logs", "--tail=40"))
		}
		s.compose("down", "-v", "--remove-orphans")
	})
	return s
}

// up runs what `make up` runs.
func (s *stack) up() {
	s.t.Helper()
	began := time.Now()
	s.must("./up.sh")
	s.t.Logf("up after %v", time.Since(began).Round(time.Second))
}

// compose runs a Compose command and returns what it printed.
func (s *stack) compose(args ...string) string {
	out, err := s.command("./compose.sh", args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v\n%s", err, out)
	}
	return string(out)
}

func (s *stack) must(name string, args ...string) string {
	s.t.Helper()
	cmd := s.command(name, args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}

func (s *stack) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, os.Environ()
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// container returns the id of a service's container.
func (s *stack) container(service string) string {
	s.t.Helper()
	id := strings.TrimSpace(s.must("./compose.sh", "ps", "-q", service))
	if id == "" {
		s.t.Fatalf("there is no container of %s", service)
	}
	return id
}

// inspect returns what the engine knows of a service's container.
func (s *stack) inspect(service, format string) string {
	s.t.Helper()
	return strings.TrimSpace(s.must("docker", "inspect", "-f", format, s.container(service)))
}

// kill ends a service's process at once, and waits until it runs again. The engine
// restarts what died by itself; after `docker kill` it does not, so that is started.
func (s *stack) kill(service string) {
	s.t.Helper()
	before := s.inspect(service, "{{.State.StartedAt}}")
	pid, err := strconv.Atoi(s.inspect(service, "{{.State.Pid}}"))
	if err != nil {
		s.t.Fatal(err)
	}
	// The engine may be on another machine, where the number means another process.
	commandLine, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	program, _, _ := strings.Cut(string(commandLine), "\x00")
	if !strings.HasPrefix("/"+service, program) || program == "" || syscall.Kill(pid, syscall.SIGKILL) != nil {
		s.must("docker", "kill", "-s", "KILL", s.container(service))
		s.must("./compose.sh", "start", service)
	}
	harness.Eventually(s.t, service+" running again", func() bool {
		return s.inspect(service, "{{.State.Running}} {{.State.StartedAt}}") != "true "+before &&
			strings.HasPrefix(s.inspect(service, "{{.State.Running}}"), "true")
	})
}

// killEach kills services one after the other; all is well again before the next.
func (s *stack) killEach(services ...string) {
	s.t.Helper()
	for _, service := range services {
		s.kill(service)
		s.waitReady()
	}
}

// downAndUp takes all containers away and makes them anew; the volumes stay.
func (s *stack) downAndUp() {
	s.t.Helper()
	s.must("./compose.sh", "down")
	s.up()
	s.waitReady()
}

// waitReady waits until every api takes and shows messages.
func (s *stack) waitReady() {
	s.t.Helper()
	for _, addr := range s.apis {
		harness.Eventually(s.t, "an api that is ready", func() bool {
			res, err := http.Get("http://" + addr + "/health/ready")
			if err != nil {
				return false
			}
			res.Body.Close()
			return res.StatusCode == http.StatusOK
		})
	}
}

// audit compares the ledger with a copy of a writer's database, once all of it is there.
func (s *stack) audit(writer string, ledger *load.Ledger) {
	s.t.Helper()
	var last *harness.Audit
	harness.Eventually(s.t, "every acknowledged message in the database", func() bool {
		cmd := s.command("./compose.sh", "exec", "-T", writer, "/writer", "snapshot", "-")
		copied, err := cmd.Output()
		if err != nil {
			return false
		}
		file := filepath.Join(s.t.TempDir(), "copy.db")
		if err := os.WriteFile(file, copied, 0o600); err != nil {
			s.t.Fatal(err)
		}
		db := harness.OpenDatabase(s.t, file)
		defer db.Close()
		if last, err = harness.Compare(s.t.Context(), db, load.Payload{}, ledger); err != nil {
			s.t.Fatal(err)
		}
		return len(last.Missing) == 0
	})
	if last.Lost() {
		s.t.Fatal(last)
	}
	s.t.Log(last)
}
