package system

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"sluice/pkg/signature"
	"sluice/test/harness"
	"sluice/test/load"
)

// The recipe of docs/SENDERS.md: at no moment is a sender refused that uses either
// secret.
func TestRotation_byFilesThatChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	current, previous := filepath.Join(dir, "current"), filepath.Join(dir, "previous")
	write := func(path, secret string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(current, "old")
	write(previous, "")
	p := harness.Start(t, harness.Options{API: map[string]string{
		"READ_WAIT": "20s", "WEBHOOK_SECRET": "", "WEBHOOK_SECRET_FILE": current, "WEBHOOK_SECRET_PREVIOUS_FILE": previous,
	}})
	n := 0
	post := func(secret string) int {
		n++
		body := load.Body(hello(string(rune('a' + n%26))))
		return p.Do("POST", "/webhook", body, signature.HexHMACHeader, signature.NewHexHMAC(secret).Sign(body)).Status
	}
	counted := func(secret string) float64 {
		return p.APIMetrics()[`webhook_signatures_total{source="plain",secret="`+secret+`"}`]
	}
	if post("old") != 200 || post("new") != 401 || counted("current") != 1 || counted("previous") != 0 {
		t.Fatal("it does not begin with the old secret")
	}

	write(previous, "old")
	write(current, "new")
	harness.Eventually(t, "the new secret to be taken", func() bool {
		if post("old") != 200 {
			t.Fatal("the old secret is refused too early")
		}
		return post("new") == 200
	})
	harness.Eventually(t, "the old secret to be told from the new one", func() bool {
		was := counted("previous")
		return post("old") == 200 && counted("previous") == was+1
	})

	write(previous, "")
	p.API.Signal(syscall.SIGHUP)
	harness.Eventually(t, "the old secret to be refused", func() bool { return post("old") == 401 })
	write(current, "") // somebody's mistake
	p.API.Signal(syscall.SIGHUP)
	harness.Eventually(t, "a warning", func() bool {
		for _, line := range p.API.Log() {
			if line["msg"] == "the senders' secrets stay as they were" {
				return true
			}
		}
		return false
	})
	if post("new") != 200 {
		t.Error("the secret is gone")
	}
}

func TestLimits_ofASource(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"BODY_LIMITS": "plain=1KB", "RATE_LIMITS": "plain=1/h"}})
	wantDetail(t, p.PostBody(append(load.Body(hello("large")), make([]byte, 1000)...)), 413)
	p.Post(hello("one"))
	res := p.PostBody(load.Body(hello("two")))
	if wantDetail(t, res, 429); res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for want, env := range map[string]map[string]string{
		`plain=5000000 is more than`:    {"BODY_LIMITS": "plain=5MB"},
		`there is no source "telegram"`: {"RATE_LIMITS": "telegram=5/s"},
		`RATE_LIMITS="plain=5": must`:   {"RATE_LIMITS": "plain=5"},
	} {
		refused(t, env, want)
	}
}
