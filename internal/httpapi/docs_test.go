package httpapi_test

import (
	"strings"
	"testing"
)

func TestDocs_areServedUnderAStrictPolicy(t *testing.T) {
	a := start(t)
	page := a.get("/docs")
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(page.body, "/docs/swagger-ui-bundle.js") {
		t.Errorf("%d %v\n%s", page.status, page.header, page.body)
	}
	policy := page.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%q lacks %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("%q", policy)
	}
	if strings.Contains(page.body, "://") {
		t.Error("the page refers to another server")
	}
}

func TestDocs_areForOperators(t *testing.T) {
	a := guarded(t)
	for _, path := range []string{"/docs", "/docs/docs.js", "/docs/swagger-ui-bundle.js", "/openapi.json"} {
		if got := a.get(path); got.status != 401 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	_, cookie := a.logIn("secret token", "/docs")
	if got := a.get("/docs", "Cookie", cookie); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestDocs_filesGoOutPackedToWhoTakesThem(t *testing.T) {
	a := start(t)
	for path, what := range map[string]string{"/docs/swagger-ui-bundle.js": "SwaggerUIBundle", "/docs/swagger-ui.css": ".swagger-ui"} {
		packed, plain := a.get(path, "Accept-Encoding", "gzip"), a.get(path, "Accept-Encoding", "identity")
		if packed.status != 200 || packed.header.Get("Content-Encoding") != "gzip" || packed.header.Get("ETag") == "" || packed.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %d %v", path, packed.status, packed.header)
		}
		if plain.status != 200 || plain.header.Get("Content-Encoding") != "" || plain.header.Get("ETag") != "" || !strings.Contains(plain.body, what) || len(plain.body) < 3*len(packed.body) {
			t.Errorf("%s unpacked: %d %v, %d bytes", path, plain.status, plain.header, len(plain.body))
		}
		if again := a.get(path, "Accept-Encoding", "gzip", "If-None-Match", packed.header.Get("ETag")); again.status != 304 {
			t.Errorf("%s again: %d", path, again.status)
		}
	}
	for _, none := range []string{"/docs/", "/docs/docs.html", "/docs/swagger-ui.js", "/docs/../docs.go", "/docs/x"} {
		if got := a.get(none); got.status != 404 {
			t.Errorf("%s: %d", none, got.status)
		}
	}
}
