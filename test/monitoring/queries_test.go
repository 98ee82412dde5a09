package monitoring

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

const token = "operators only"

// selector is a metric in a query, with its labels.
var selector = regexp.MustCompile(`\b(?:up|(?:sluice|http|webhook|process|go)_[a-z0-9_]+)\b(?:\{[^}]*\})?`)

func TestQueries_findDataOfALoadedSluice(t *testing.T) {
	need(t, "prometheus")
	p := harness.Start(t, harness.Options{API: map[string]string{"OPERATOR_TOKEN": token, "LOG_LEVEL": "WARNING"}})
	ctx, cancel := context.WithCancel(t.Context())
	loaded := make(chan *load.Result)
	go func() {
		loaded <- load.Run(ctx, load.Config{Addr: p.Addr, Secret: harness.Secret, Connections: 4, Rate: 200, Retry: true})
	}()
	defer func() { cancel(); t.Log(<-loaded) }()
	prom := startPrometheus(t, p, token)

	for _, panel := range panels(t) {
		if panel.Type == "row" {
			continue
		}
		if len(panel.Targets) == 0 {
			t.Errorf("%s asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			prom.wantData(panel.Title, strings.ReplaceAll(target.Expr, "$__rate_interval", "10s"))
		}
	}
	for _, rule := range rules(t) {
		found := selector.FindAllString(rule.Expr, -1)
		if len(found) == 0 {
			t.Errorf("%s looks at nothing of ours: %s", rule.Alert, rule.Expr)
		}
		for _, metric := range found {
			prom.wantData(rule.Alert, metric)
		}
	}
	harness.Eventually(t, "rules that were evaluated", func() bool {
		for _, a := range prom.alerts() {
			if a.health != "ok" {
				return false
			}
		}
		return true
	})
	for name, a := range prom.alerts() {
		if a.state != "inactive" {
			t.Errorf("all is well, and %s is %s", name, a.state)
		}
	}

	p.Writer.Kill()
	harness.Eventually(t, "an alert of the writer that died", func() bool { return prom.alerts()["SluiceWriterDown"].state != "inactive" })
}

// wantData waits until a query gives numbers. What is NaN there is no data: a rate
// of nothing.
func (p *prometheus) wantData(of, query string) {
	p.t.Helper()
	harness.Eventually(p.t, of+": data for "+query, func() bool {
		values, err := p.values(query)
		if err != nil {
			p.t.Fatalf("%s: %s: %v", of, query, err)
		}
		return len(values) > 0 && !slices.Contains(values, "NaN")
	})
}
