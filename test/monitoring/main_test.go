// Package monitoring holds what deploy/compose gives to Prometheus and Grafana to the
// real thing: the rules to promtool, and the query of every rule and of every panel to
// a Prometheus that scrapes a loaded sluice. A metric that is renamed fails here.
//
// It needs Debian's package prometheus; a machine without it skips with a line that
// begins with NOT PROVEN.
package monitoring

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"

	"sluice/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	rulesDir      = "../../deploy/compose/prometheus"
	dashboardFile = "../../deploy/compose/grafana/dashboards/sluice.json"
)

// need skips the test on a machine that lacks the program.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("NOT PROVEN: alert rules and dashboard: %v (apt-get install prometheus)", err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// rule is an alert.
type rule struct {
	Alert, Expr string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(rulesDir, "sluice.rules.yml"))), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) == 0 {
		t.Fatal("there are no rules")
	}
	return file.Groups[0].Rules
}

// panel is a picture of the dashboard.
type panel struct {
	Title   string
	Type    string
	Targets []struct{ Expr string }
}

func panels(t *testing.T) []panel {
	t.Helper()
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Fatal("there are no panels")
	}
	return dashboard.Panels
}
