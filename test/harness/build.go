// Package harness starts the real programs on data and ports of their own and
// drives them from outside, as tests of the contract, of faults and of speed
// need it. It uses nothing of theirs but their environment, their HTTP, their
// log lines and their exit codes.
package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Variables that say which programs are tested.
const (
	// raceVariable, when set, builds the programs with the race detector.
	raceVariable = "SLUICE_TEST_RACE"

	// binVariable names a directory that holds api and writer already.
	binVariable = "SLUICE_TEST_BIN"
)

// programs is where the built programs are, for the life of the test binary.
var programs struct {
	build sync.Once
	dir   string
	err   error
}

// Main runs the tests of a package that uses Start, and removes the programs that
// were built for them; after is called once they have ended. It is for TestMain.
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	for _, f := range after {
		f()
	}
	if programs.dir != "" && os.Getenv(binVariable) == "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// Program returns the path of a program, "api" or "writer", built once for each
// test binary.
func Program(t testing.TB, name string) string {
	t.Helper()
	programs.build.Do(buildPrograms)
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.dir, name)
}

func buildPrograms() {
	if dir := os.Getenv(binVariable); dir != "" {
		programs.dir = dir
		return
	}
	programs.dir, programs.err = os.MkdirTemp("", "sluice-programs-")
	if programs.err != nil {
		return
	}
	args := []string{"build", "-o", programs.dir + string(filepath.Separator)}
	if os.Getenv(raceVariable) != "" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "sluice/cmd/api", "sluice/cmd/writer")...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		programs.err = fmt.Errorf("build the programs: %w\n%s", err, &output)
	}
}

// Changed builds a program from sources of which one is another, as a release of
// another day would be, and returns its path. file is relative to the module.
func Changed(t testing.TB, name, file string, change func(source string) string) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), file)
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(string(source))
	if changed == string(source) {
		t.Fatalf("nothing was changed in %s", file)
	}
	dir := t.TempDir()
	replacement, overlay := filepath.Join(dir, filepath.Base(file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replacement}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{replacement: []byte(changed), overlay: replace} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", program, "sluice/cmd/"+name).CombinedOutput(); err != nil {
		t.Fatalf("build another %s: %v\n%s", name, err, out)
	}
	return program
}
