package fault

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice/test/harness"
)

// said returns the log lines of a process at WARNING and above which contain all
// the words, whatever their case.
func said(t *testing.T, p *harness.Process, words ...string) []string {
	t.Helper()
	var found []string
lines:
	for _, line := range p.Log() {
		if level := line["level"]; level != "WARNING" && level != "WARN" && level != "ERROR" {
			continue
		}
		b, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if !strings.Contains(strings.ToLower(string(b)), strings.ToLower(word)) {
				continue lines
			}
		}
		found = append(found, string(b))
	}
	return found
}

// saidTimes counts them.
func saidTimes(t *testing.T, p *harness.Process, words ...string) int {
	t.Helper()
	return len(said(t, p, words...))
}

// wantSaid fails the test when the process has not warned with these words. It
// shows the first such line.
func wantSaid(t *testing.T, p *harness.Process, words ...string) {
	t.Helper()
	found := said(t, p, words...)
	if len(found) == 0 {
		t.Errorf("no warning or error in the log speaks of %q", words)
		return
	}
	t.Logf("said: %s", found[0])
}
