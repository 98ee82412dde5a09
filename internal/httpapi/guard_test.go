package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/internal/httpapi"
	"sluice/internal/operator"
)

// guarded serves with a token.
func guarded(t *testing.T) *api {
	t.Helper()
	a := start(t, func(cfg *httpapi.Config) { cfg.Guard = operator.NewGuard("secret token", time.Now) })
	a.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return a
}

const rightToken = "Bearer secret token"

func TestGuard_readingNeedsTheToken(t *testing.T) {
	a := guarded(t)
	for _, path := range []string{"/messages", "/messages/m1", "/stats", "/pipeline", "/metrics", "/nothing", "/webhooks", "/healthy", "/Health/live", "//health/live"} {
		got := a.get(path)
		if got.status != 401 || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d", path, got.status)
		}
		for _, wrong := range []string{"Bearer wrong", "Basic secret token", "secret token", "Bearer"} {
			if got := a.get(path, "Authorization", wrong); got.status != 401 && got.status != 429 {
				t.Errorf("%s with %q: %d", path, wrong, got.status)
			}
		}
	}
	for path, want := range map[string]int{"/health/live": 200, "/health/ready": 200, "/health/nothing": 404, "/health/../stats": 404, "/webhook": 405, "/webhook/nothing": 404} {
		if got := a.get(path); got.status != want {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if got := a.postSigned(delivery("m1")); got.status != 200 {
		t.Errorf("a webhook: %d", got.status)
	}
}

func TestGuard_takesTheToken(t *testing.T) {
	a := guarded(t)
	for path, want := range map[string]int{"/messages": 200, "/stats": 200, "/metrics": 200, "/nothing": 404} {
		for _, scheme := range []string{"Bearer ", "bearer "} {
			if got := a.get(path, "Authorization", scheme+"secret token"); got.status != want {
				t.Errorf("%s: %d", path, got.status)
			}
		}
	}
}

func TestGuard_slowsGuesses(t *testing.T) {
	a := guarded(t)
	eventually(t, func() bool { return a.get("/stats", "Authorization", "Bearer wrong").status == 429 }, func() string { return "guesses go on for ever" })
	got := a.get("/stats", "Authorization", rightToken)
	if got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("%d, %v", got.status, got.header)
	}
}

// logIn posts the form and returns the answer and its cookie, as a browser shows it.
func (a *api) logIn(token, next string, header ...string) (answer, string) {
	a.t.Helper()
	form := url.Values{"token": {token}, "next": {next}}.Encode()
	got := a.do("POST", "/login", form, append(header, "Content-Type", "application/x-www-form-urlencoded")...)
	cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	return got, cookie
}

func TestLogin_givesASessionForTheToken(t *testing.T) {
	a := guarded(t)
	form := a.get("/?q=a&from=%2B1", "Accept", "text/html,*/*")
	if form.status != 401 || !strings.Contains(form.body, `value="/?q=a&amp;from=%2B1"`) || !strings.Contains(form.header.Get("Content-Security-Policy"), "style-src 'sha256-") {
		t.Errorf("%d %v\n%s", form.status, form.header, form.body)
	}
	if got := a.get("/login"); got.status != 303 || !strings.HasSuffix(got.header.Get("Location"), "/") {
		t.Errorf("the form's own address: %d %v", got.status, got.header)
	}
	if wrong, cookie := a.logIn("wrong", "/"); wrong.status != 401 || cookie != "" || !strings.Contains(wrong.body, "not the token") {
		t.Errorf("wrong: %d, %q", wrong.status, cookie)
	}
	got, cookie := a.logIn("secret token", "/?q=a")
	set := got.header.Get("Set-Cookie")
	if got.status != 303 || got.header.Get("Location") == "" || !strings.HasSuffix(got.header.Get("Location"), "/?q=a") {
		t.Errorf("%d %v", got.status, got.header)
	}
	for _, attribute := range []string{"HttpOnly", "SameSite=Strict", "path=/", "max-age="} {
		if !strings.Contains(set, attribute) {
			t.Errorf("%q has no %s", set, attribute)
		}
	}
	if strings.Contains(set, "secret") || strings.Contains(set, "secure") {
		t.Errorf("%q", set)
	}
	if got := a.get("/stats", "Cookie", cookie); got.status != 200 {
		t.Errorf("with the session: %d", got.status)
	}
	if got := a.get("/stats", "Cookie", cookie+"x"); got.status != 401 {
		t.Errorf("with another: %d", got.status)
	}
	if secure, _ := a.logIn("secret token", "/", "X-Forwarded-Proto", "https"); !strings.Contains(secure.header.Get("Set-Cookie"), "secure") {
		t.Errorf("behind TLS: %q", secure.header.Get("Set-Cookie"))
	}
	if got := a.do("POST", "/logout", "", "Cookie", cookie); got.status != 303 || !strings.HasPrefix(got.header.Get("Set-Cookie"), "sluice_session=;") {
		t.Errorf("log out: %d, %v", got.status, got.header)
	}
}

func TestLogin_leadsNowhereElse(t *testing.T) {
	a := guarded(t)
	for _, next := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "/\t/evil.example", "evil", ""} {
		got, _ := a.logIn("secret token", next)
		if at, err := url.Parse(got.header.Get("Location")); err != nil || at.Host != "" && at.Host != a.addr || at.Path != "/" {
			t.Errorf("%q leads to %q", next, got.header.Get("Location"))
		}
	}
}

func TestGuard_refusesOtherSites(t *testing.T) {
	a := guarded(t)
	_, cookie := a.logIn("secret token", "/")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"}} {
		if got := a.do("POST", "/logout", "", append(header, "Cookie", cookie)...); got.status != 403 {
			t.Errorf("%v: %d", header, got.status)
		}
		if got, _ := a.logIn("secret token", "/", header...); got.status != 403 {
			t.Errorf("log in, %v: %d", header, got.status)
		}
	}
	if got := a.do("POST", "/logout", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin"); got.status != 303 {
		t.Errorf("our own page: %d", got.status)
	}
}

func TestGuard_withoutATokenNobodyIsAsked(t *testing.T) {
	a := start(t)
	if got := a.get("/stats"); got.status != 200 || got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := a.do("POST", "/login", "token="); got.status != 404 {
		t.Errorf("/login: %d", got.status)
	}
}
