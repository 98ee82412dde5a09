package monitoring

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/test/harness"
)

// prometheus is a running Prometheus.
type prometheus struct {
	t   *testing.T
	url string
}

// startPrometheus runs Prometheus on our configuration, with the pipeline in place of
// the containers and less time between two scrapes.
func startPrometheus(t *testing.T, p *harness.Pipeline, token string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	tokenFile := filepath.Join(dir, "token")
	write(t, tokenFile, token)
	write(t, filepath.Join(dir, "sluice.rules.yml"), read(t, filepath.Join(rulesDir, "sluice.rules.yml")))
	config := read(t, filepath.Join(rulesDir, "prometheus.yml"))
	for from, to := range map[string]string{
		"api:8000": p.Addr, "writer:8001": strings.TrimPrefix(p.Metrics, "http://"), "/tmp/operator_token": tokenFile,
		"scrape_interval: 5s": "scrape_interval: 1s", "evaluation_interval: 15s": "evaluation_interval: 1s",
	} {
		if strings.Count(config, from) != 1 {
			t.Fatalf("prometheus.yml does not hold %q once", from)
		}
		config = strings.Replace(config, from, to, 1)
	}
	write(t, filepath.Join(dir, "prometheus.yml"), config)

	addr := harness.FreeAddress(t)
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		log.Close()
		if t.Failed() {
			t.Log(read(t, log.Name()))
		}
	})
	prom := &prometheus{t, "http://" + addr}
	harness.Eventually(t, "a Prometheus that is ready", func() bool {
		res, err := http.Get(prom.url + "/-/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return prom
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask asks the HTTP API of Prometheus.
func (p *prometheus) ask(path string, query url.Values, v any) error {
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Get(p.url + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s", answer.Error)
	}
	return json.Unmarshal(answer.Data, v)
}

// values returns what a query gives now.
func (p *prometheus) values(query string) (all []string, err error) {
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err := p.ask("/api/v1/query", url.Values{"query": {query}}, &data); err != nil {
		return nil, err
	}
	for _, r := range data.Result {
		all = append(all, fmt.Sprint(r.Value[1]))
	}
	return all, nil
}

// alerts returns the state of each rule and what is wrong with it.
func (p *prometheus) alerts() map[string]struct{ state, health string } {
	p.t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, State, Health string }
		}
	}
	if err := p.ask("/api/v1/rules", nil, &data); err != nil {
		p.t.Fatal(err)
	}
	all := map[string]struct{ state, health string }{}
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			all[r.Name] = struct{ state, health string }{r.State, r.Health}
		}
	}
	return all
}
