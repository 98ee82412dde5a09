package monitoring

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestRules_fireWhenTheyShouldAndOnlyThen(t *testing.T) {
	need(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "sluice.rules.yml"}, {"test", "rules", "sluice.rules.test.yml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = rulesDir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestRules_areTestedAndExplained(t *testing.T) {
	var file struct {
		Tests []struct {
			Cases []struct {
				Alert string `yaml:"alertname"`
				Fires []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(rulesDir, "sluice.rules.test.yml"))), &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, c := range test.Cases {
			if len(c.Fires) > 0 {
				fires[c.Alert] = true
			} else {
				silent[c.Alert] = true
			}
		}
	}
	recipes := read(t, "../../docs/OPERATIONS.md")
	for _, r := range rules(t) {
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("no test has %s fire, or none has it stay silent", r.Alert)
		}
		if !strings.Contains(recipes, "`"+r.Alert+"`") {
			t.Errorf("docs/OPERATIONS.md does not say what to do about %s", r.Alert)
		}
	}
}
