package httpapi_test

import (
	"strings"
	"testing"
)

func TestPage_isServedUnderAStrictPolicy(t *testing.T) {
	a := start(t)
	got := a.get("/?view=search&q=x")
	if got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(got.body, `data-token="no"`) {
		t.Errorf("%d %v\n%s", got.status, got.header, got.body)
	}
	policy := got.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%q lacks %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("%q", policy)
	}
	a.counts(`http_requests_total{method="GET",path="/",status="200"} 1`)
}

func TestPage_isForOperators(t *testing.T) {
	a := guarded(t)
	if got := a.get("/", "Accept", "text/html"); got.status != 401 || !strings.Contains(got.body, "Operator token") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := a.get("/assets/app.js", "Accept", "*/*"); got.status != 401 || strings.Contains(got.body, "import") {
		t.Errorf("%d %s", got.status, got.body)
	}
	_, cookie := a.logIn("secret token", "/")
	if got := a.get("/", "Cookie", cookie); got.status != 200 || !strings.Contains(got.body, `data-token="yes"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAssets_areAskedForAgainAndNotSentAgain(t *testing.T) {
	a := start(t)
	for path, mediaType := range map[string]string{
		"/": "text/html", "/assets/app.js": "text/javascript", "/assets/app.css": "text/css", "/assets/icon.svg": "image/svg+xml",
	} {
		first := a.get(path)
		tag := first.header.Get("ETag")
		if first.status != 200 || tag == "" || first.header.Get("Cache-Control") != "private, no-cache" || !strings.HasPrefix(first.header.Get("Content-Type"), mediaType) {
			t.Fatalf("%s: %d %v", path, first.status, first.header)
		}
		if again := a.get(path, "If-None-Match", tag); again.status != 304 || again.body != "" || again.header.Get("ETag") != tag {
			t.Errorf("%s: %d, %d bytes, %v", path, again.status, len(again.body), again.header)
		}
		if other := a.get(path, "If-None-Match", `"another"`); other.status != 200 || other.body != first.body {
			t.Errorf("%s after a change: %d", path, other.status)
		}
	}
}

func TestAssets_areNoOtherFiles(t *testing.T) {
	a := start(t)
	for _, path := range []string{"/assets/", "/assets/none.js", "/assets/index.html", "/assets/login.html", "/assets/../server.go", "/assets/%2e%2e/ui.go", "/assets/app.js/"} {
		if got := a.get(path); got.status != 404 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	a.counts(`http_requests_total{method="GET",path="/assets/{name}",status="404"} 3`)
}
