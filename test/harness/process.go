package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Limits of what a test waits for. They are generous, since machines that run
// tests are slow at times; nothing is asserted about time here.
const (
	startLimit = 30 * time.Second
	stopLimit  = 30 * time.Second
)

// Process is one program under test. It can be started again after it ended, on
// the same data and ports; its output goes on in the same files. Its methods are
// for one goroutine and fail the test when the program does not do its part.
type Process struct {
	t       testing.TB
	name    string
	path    string
	dir     string
	environ []string
	health  string // the path of its health endpoint's host: http://host:port
	stdout  *os.File
	stderr  *os.File

	mu    sync.Mutex
	cmd   *exec.Cmd // nil while it is not running
	ended chan struct{}
	code  int // of the last exit, -1 after a signal
}

// newProcess makes a process that is not started. Its output is kept in logDir.
func newProcess(t testing.TB, name, dir, logDir, health string, env map[string]string) *Process {
	t.Helper()
	p := &Process{t: t, name: name, path: Program(t, name), dir: dir, health: health}
	for k, v := range env {
		p.environ = append(p.environ, k+"="+v)
	}
	p.stdout = p.outputFile(filepath.Join(logDir, name+".stdout"))
	p.stderr = p.outputFile(filepath.Join(logDir, name+".stderr"))
	t.Cleanup(p.cleanUp)
	return p
}

func (p *Process) outputFile(path string) *os.File {
	p.t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

// Start starts the program and returns at once; args go behind its name.
func (p *Process) Start(args ...string) {
	p.t.Helper()
	if p.Running() {
		p.t.Fatalf("%s is running already", p.name)
	}
	cmd := exec.Command(p.path, args...)
	cmd.Dir, cmd.Env = p.dir, p.environ
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	ended := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.ended = cmd, ended
	p.mu.Unlock()
	go func() {
		_ = cmd.Wait() // the state says it all
		p.mu.Lock()
		p.cmd, p.code = nil, cmd.ProcessState.ExitCode()
		p.mu.Unlock()
		close(ended)
	}()
}

// Set changes a variable of the program's environment, from the next Start on.
func (p *Process) Set(name, value string) { p.environ = append(p.environ, name+"="+value) }

// Become makes the next Start run another program, in the same place.
func (p *Process) Become(path string) { p.path = path }

// StartReady starts the program and waits until it says that it is ready.
func (p *Process) StartReady() {
	p.t.Helper()
	p.Start()
	p.WaitReady()
}

// WaitReady waits until the program says that it is ready.
func (p *Process) WaitReady() {
	p.t.Helper()
	p.WaitStatus("/health/ready", http.StatusOK)
}

// WaitStatus waits until a GET of path gives that status. It fails the test at
// once when the program ends.
func (p *Process) WaitStatus(path string, status int) {
	p.t.Helper()
	last := "no answer"
	deadline := time.Now().Add(startLimit)
	for time.Now().Before(deadline) {
		if !p.Running() {
			p.t.Fatalf("%s ended with exit code %d", p.name, p.code)
		}
		got, body := p.get(path)
		if got == status {
			return
		}
		last = fmt.Sprintf("%d %s", got, body)
		time.Sleep(2 * time.Millisecond)
	}
	p.t.Fatalf("%s: GET %s never gave %d, but %s", p.name, path, status, last)
}

func (p *Process) get(path string) (int, string) {
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Get(p.health + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(res.Body)
	return res.StatusCode, b.String()
}

// Running reports whether the program is running.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// PID returns the process id, 0 while the program is not running.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Signal sends the signal, when the program is running.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal %s: %v", p.name, err)
	}
}

// Stop asks the program to end, waits for it, and returns its exit code.
func (p *Process) Stop() int {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	return p.Wait()
}

// Kill ends the program as kill -9 does.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(syscall.SIGKILL)
	p.Wait()
}

// Wait waits for the program's end and returns its exit code, -1 when a signal
// ended it.
func (p *Process) Wait() int {
	p.t.Helper()
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended == nil {
		p.t.Fatalf("%s was never started", p.name)
	}
	select {
	case <-ended:
	case <-time.After(stopLimit):
		p.Signal(syscall.SIGQUIT) // the stacks tell where it hangs
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			p.Signal(syscall.SIGKILL)
			<-ended
		}
		p.t.Errorf("%s did not end within %v", p.name, stopLimit)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code
}

// Line is one line of a program's log.
type Line map[string]any

// Log returns all that the program has logged, over all its lives.
func (p *Process) Log() []Line {
	p.t.Helper()
	var lines []Line
	for text := range strings.Lines(p.output(p.stdout)) {
		var line Line
		if !strings.HasSuffix(text, "\n") {
			break // it is being written, or the program was killed meanwhile
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			p.t.Errorf("%s wrote a line that is not JSON: %q", p.name, text)
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

// Output returns all that the program wrote to standard output.
func (p *Process) Output() string {
	p.t.Helper()
	return p.output(p.stdout)
}

// Stderr returns all that the program wrote to standard error.
func (p *Process) Stderr() string {
	p.t.Helper()
	return p.output(p.stderr)
}

func (p *Process) output(f *os.File) string {
	p.t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// cleanUp leaves no process behind and shows what it said when the test failed.
func (p *Process) cleanUp() {
	p.Signal(syscall.SIGKILL)
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended != nil {
		<-ended
	}
	p.stdout.Close()
	p.stderr.Close()

	stderr := p.Stderr()
	for _, disaster := range []string{"DATA RACE", "panic: ", "fatal error: "} {
		if strings.Contains(stderr, disaster) {
			p.t.Errorf("%s: %s", p.name, disaster)
		}
	}
	if p.t.Failed() {
		p.t.Logf("%s, standard output:\n%s", p.name, tail(p.output(p.stdout)))
		p.t.Logf("%s, standard error:\n%s", p.name, tail(stderr))
	}
}

// tail returns the end of a long text, from a line's beginning.
func tail(s string) string {
	const most = 16 << 10
	if len(s) <= most {
		return s
	}
	s = s[len(s)-most:]
	return "…\n" + s[strings.IndexByte(s, '\n')+1:]
}
