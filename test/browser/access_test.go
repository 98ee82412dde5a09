package browser

import (
	_ "embed"
	"testing"
)

// audit is a script that lists what is wrong with a page for who sees badly.
//
//go:embed testdata/audit.js
var audit string

// wantAccessible fails the test for every fault of the page as it is.
func (g *page) wantAccessible(what string) {
	g.t.Helper()
	for _, fault := range eval[[]string](g, audit) {
		g.t.Errorf("%s: %s", what, fault)
	}
}

// Every view, wide and narrow, light and dark, with something in it.
func TestEveryView_isReadable(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("some", 60)...)
	p.deadLetter(t, "\xff\x00")
	p.Do("POST", "/webhook", []byte(`{}`), "X-Signature", "cafe")
	g := open(t, p, "/")
	for _, view := range []struct{ path, ready string }{
		{"/", "tbody tr"},
		{"/?view=search&q=number", "#next"},
		{"/?view=message&id=some001", ".way"},
		{"/?view=pipeline", ".checks li"},
		{"/?view=stats", ".ranks li"},
		{"/?view=dead-letters", ".letter"},
		{"/?view=rejections", ".rejections summary"},
	} {
		g.visit(view.path)
		g.wait(view.ready, "document.querySelector("+quote(view.ready)+")")
		g.run("document.querySelectorAll('details').forEach((d) => d.open = true)")
		for _, width := range []int64{1440, 390} {
			g.size(width, 900)
			g.wait("the plot's new width", "[...document.querySelectorAll('.plot svg')].every((plot) => plot.getBoundingClientRect().right <= innerWidth)")
			for _, isDark := range []bool{false, true} {
				g.dark(isDark)
				g.wantAccessible(view.path)
			}
		}
	}
	g.press("?")
	g.wait("the help", "document.querySelector('dialog[open]')")
	g.wantAccessible("help")
}

func TestWhatIsWrong_isReadable(t *testing.T) {
	p := start(t, "")
	p.Writer.Stop()
	g := open(t, p, "/?view=pipeline")
	for _, isDark := range []bool{false, true} {
		g.dark(isDark)
		g.waitText("#banner", "The writer is not running")
		g.wantAccessible("degraded")
	}
}

func TestLogin_isReadable(t *testing.T) {
	g := open(t, start(t, "secret"), "/")
	g.excuse("401")
	for _, isDark := range []bool{false, true} {
		g.dark(isDark)
		g.wantAccessible("log in")
	}
}
