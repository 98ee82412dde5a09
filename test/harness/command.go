package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
)

// Result is what a command of a program left.
type Result struct {
	Code           int // -1 after a signal
	Stdout, Stderr string
}

// Lines decodes the JSON lines of standard output.
func (r *Result) Lines(p *Pipeline) []Line {
	p.t.Helper()
	var lines []Line
	for text := range strings.Lines(r.Stdout) {
		var line Line
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			p.t.Fatalf("not a line of JSON: %q", text)
		}
		lines = append(lines, line)
	}
	return lines
}

// Command returns a command of the writer that is not started, with the
// environment of the pipeline's writer.
func (p *Pipeline) Command(args ...string) *exec.Cmd {
	p.t.Helper()
	cmd := exec.Command(p.Writer.path, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = p.Writer.dir, p.Writer.environ, ownGroup()
	return cmd
}

// Run runs a command of the writer to its end. Any goroutine may use it.
func (p *Pipeline) Run(args ...string) *Result {
	var stdout, stderr bytes.Buffer
	cmd := p.Command(args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		p.t.Error(err)
		return &Result{Code: -1, Stderr: err.Error()}
	}
	return &Result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// MustRun is Run for a command that has to succeed.
func (p *Pipeline) MustRun(args ...string) *Result {
	p.t.Helper()
	r := p.Run(args...)
	if r.Code != 0 {
		p.t.Fatalf("writer %s: exit %d\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r
}
