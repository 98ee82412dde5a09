// Package deploy reads what deploy holds as those do who will run it. A machine
// without them skips with a line that begins with NOT PROVEN.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// TestUnits: systemd understands every line of the units.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("NOT PROVEN: the systemd units: there is no systemd-analyze")
	}
	dir := t.TempDir()
	args := []string{"verify", "--man=no"}
	for name, unit := range units(t) {
		program := harness.Program(t, strings.TrimSuffix(strings.TrimPrefix(name, "sluice-"), ".service"))
		unit = strings.Replace(unit, "/usr/local/bin/"+strings.TrimSuffix(name, ".service"), program, 1)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(unit), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.Command(analyze, args...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestVariables: what units and Compose files set is what the programs read.
func TestVariables(t *testing.T) {
	files := units(t)
	for _, path := range []string{"../../deploy/compose/services.yaml", "../../deploy/compose/compose.cluster.yaml", "../../deploy/compose/compose.secrets.yaml", "../../deploy/compose/compose.external.yaml"} {
		files[filepath.Base(path)] = read(t, path)
	}
	known := map[string]bool{"GOMEMLIMIT": true} // Go's own
	for _, name := range []string{"api", "writer"} {
		help, err := exec.Command(harness.Program(t, name), "-h").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, variable := range regexp.MustCompile(`(?m)^[A-Z][A-Z_]+`).FindAllString(string(help), -1) {
			known[variable], known[variable+"_FILE"] = true, true
		}
	}
	setting := regexp.MustCompile(`(?m)^(?:Environment=|\s+|.*[{,] )([A-Z][A-Z_]+)(?:=|: )`)
	for name, content := range files {
		found := setting.FindAllStringSubmatch(content, -1)
		if len(found) == 0 {
			t.Errorf("%s sets nothing", name)
		}
		for _, match := range found {
			if variable := match[1]; !known[variable] && !strings.HasSuffix(variable, "_IMAGE") && variable != "VERSION" && variable != "COMMIT" {
				t.Errorf("%s sets %s, which no program reads", name, variable)
			}
		}
	}
}

// units are the systemd units by name.
func units(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no units: %v", err)
	}
	all := map[string]string{}
	for _, path := range paths {
		all[filepath.Base(path)] = read(t, path)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestMake_theSecretMayBeInAFile: make names no secret of its own beside a file
// of the user's, which the api would refuse.
func TestMake_theSecretMayBeInAFile(t *testing.T) {
	for env, want := range map[string]string{
		"WEBHOOK_SECRET_FILE=/run/secret": "[]",
		"WEBHOOK_SECRET=own":              "[own]",
		"WEBHOOK_SECRET_FILE=":            "[testsecret]",
	} {
		cmd := exec.Command("make", "-s", "-C", "../..", "--eval", `secret:; @echo "[$$WEBHOOK_SECRET]"`, "secret")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), env}
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %v: %s, want %s", env, err, got, want)
		}
	}
}
