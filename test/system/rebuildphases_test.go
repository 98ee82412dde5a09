//go:build linux

package system

import (
	"bufio"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/harness"
)

// phases are the steps of a rebuild, and the line of internal/store/generation.go
// before which each of them is under way.
var phases = []struct{ name, line string }{
	{"begin", "	base, err := generationBase(g.pointer)\n"},
	{"load", "	a, err := g.apply(ctx, b, g.senders != nil)\n"},
	{"index", "	// The indexer goes on by itself, but after an error it waits to be told."},
	{"catch up", "		return g.toDisk()\n	})\n}\n"},
	{"hand over", "	if g.service, err = lock("},
	{"swap", "	g.indexer.close()\n	if err := g.use(ctx, g.toDisk)"},
	{"link", "	old, err := replacedBy("},
	{"clean up", "	return true, errors.Join(syncDir("},
}

// haltingWriter is a writer whose rebuild says so and waits where SLUICE_TEST_HALT says.
func haltingWriter(t *testing.T) string {
	t.Helper()
	return harness.Changed(t, "writer", "internal/store/generation.go", func(source string) string {
		for _, phase := range phases {
			if strings.Count(source, phase.line) != 1 {
				t.Fatalf("%q is not one line of the source", phase.line)
			}
			source = strings.Replace(source, phase.line, "	halt(`"+phase.name+"`)\n"+phase.line, 1)
		}
		return source + `
func halt(at string) {
	if os.Getenv("SLUICE_TEST_HALT") == at {
		fmt.Fprintln(os.Stderr, "halted")
		select {}
	}
}`
	})
}

// TestRebuild_killedInEachPhase kills a rebuild inside each of its phases. Until the
// link is changed the old database stays in service; the writer goes on, and with it
// whoever asks and posts. What is left behind is removed by the next run.
func TestRebuild_killedInEachPhase(t *testing.T) {
	t.Parallel()
	p := start(t)
	mixed(t, p, 300)
	writer, halting := p.Writer.PID(), haltingWriter(t)
	stop := watchTotal(t, p)
	total := 301
	for _, phase := range phases {
		before, err := filepath.EvalSymlinks(p.Database)
		if err != nil {
			t.Fatal(err)
		}
		cmd := p.Command("rebuild")
		cmd.Path, cmd.Env = halting, append(cmd.Env, "SLUICE_TEST_HALT="+phase.name)
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		halted := false
		for lines := bufio.NewScanner(stderr); !halted && lines.Scan(); {
			halted = lines.Text() == "halted"
		}
		if !halted {
			t.Fatalf("%s: it was never there: %v", phase.name, cmd.Wait())
		}
		p.Post(numbered(phase.name, 1)...) // is taken meanwhile
		if phase.name == "load" {
			if r := p.Run("rebuild"); r.Code != 1 || !strings.Contains(r.Stderr, "another rebuild is under way") {
				t.Errorf("a second rebuild meanwhile: %+v", r)
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		total++
		harness.Eventually(t, phase.name+": what was posted meanwhile", func() bool { return p.Messages().Total == total })
		after, err := filepath.EvalSymlinks(p.Database)
		if err != nil {
			t.Fatal(err)
		}
		if swapped := phase.name == "clean up"; (after != before) != swapped {
			t.Errorf("%s: %s is in service, was %s", phase.name, after, before)
		}
		if left, _ := filepath.Glob(p.Database + ".gen-*Z"); phase.name == "load" && len(left) == 0 {
			t.Errorf("%s: nothing is left behind, so nothing was under way", phase.name)
		}
		p.MustRun("verify")
	}
	before := rows(t, p)
	p.MustRun("rebuild")
	stop()
	if after := rows(t, p); len(after) != total || strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Errorf("%d rows, were %d, posted %d", len(after), len(before), total)
	}
	p.MustRun("verify")
	wantOneDatabase(t, p)
	if p.Writer.PID() != writer {
		t.Error("the writer is not the process that it was")
	}
}
