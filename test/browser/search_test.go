package browser

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// back does what the browser's button does.
func back() chromedp.Action[chromedp.Void] { return chromedp.Evaluate[chromedp.Void]("history.back()") }

func TestSearch_understandsItsWords(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("m", 20)...)
	other := hello("other", `say "hello, world" twice`)
	other.From, other.TS = "+4915112345678", "2025-02-01T00:00:00Z"
	p.Post(other)
	g := open(t, p, "/")
	for words, total := range map[string]string{
		"":                             "21 messages stored",
		"from:+4915112345678":          "1 message matches",
		"from:4915112345678 hello":     "1 message matches",
		"to:+14155550100 number":       "20 messages match",
		"since:2025-01-16":             "1 message matches",
		"until:2025-01-15T10:00:05":    "5 messages match",
		`"\"hello, world\" twice"`:     "1 message matches",
		"NUMBER 1":                     "11 messages match",
		"from:+4915112345678 number":   "0 messages match",
		"since:1h":                     "0 messages match",
		`since:2025-01-15T10:00:03Z 7`: "2 messages match",
	} {
		g.search(words)
		g.waitText(".total", total)
	}
	g.search(`to:+14155550100 until:2025-01-15T10:00:05 "number"`)
	g.waitText(".total", "5 messages match")
	open(t, p, g.address()).waitText(".total", "5 messages match") // for who is given the URL
}

func TestSearch_saysWhatIsWrong(t *testing.T) {
	p := start(t, "")
	g := open(t, p, "/?view=search")
	g.waitText(".total", "0 messages")
	for words, want := range map[string]string{
		"from:bob":            "from: takes a number",
		"since:yesterdayish":  "since: takes a day",
		"since:2025-02-30":    "since: takes a day",
		`"two" "texts"`:       "one text at a time",
		"from:+1 from:+2":     "from: is there twice",
		"until:2025-01-15T99": "until: takes a day",
	} {
		g.search(words)
		g.waitText("#wrong", want)
		if got := g.address(); got != "/?view=search" {
			t.Errorf("%s led to %s", words, got)
		}
	}
	g.excuse("422")
	g.visit("/?view=search&since=nonsense") // by hand
	g.waitText("#wrong", "since must be an RFC 3339 instant")
}

// What the box reads it writes again, and the URL says the same.
func TestSearch_wordsComeBack(t *testing.T) {
	g := open(t, start(t, ""), "/?view=search")
	g.run(`window.lost = import("/assets/words.js").then(({ parse, write }) => [
		"plain words", 'with "quotes"', "from:+1 as words", " blanks  around ", "back\\slash", '"', "\\", "🎉 مرحبا", "http://x.example/?a=b", "until:", "x from:y",
	].filter((q) => parse(write({ q })).filters.q !== q || Object.keys(parse(write({ q })).filters).length > 1))`)
	if lost := eval[[]string](g, "window.lost"); len(lost) > 0 {
		t.Errorf("%q do not come back", lost)
	}
	g.search(`since:2025-01-15 from:+1 "a  b"`)
	g.wait("the URL", "location.search.includes('since=')")
	if q, _ := url.ParseQuery(strings.TrimPrefix(g.address(), "/?")); q.Get("since") != "2025-01-15T00:00:00Z" || q.Get("from") != "+1" || q.Get("q") != "a  b" {
		t.Errorf("%s", g.address())
	}
	if got := eval[string](g, "document.querySelector('#search').value"); got != `from:+1 since:2025-01-15 "a  b"` {
		t.Errorf("the box has %s", got)
	}
}

// The controls are the same filters as the box.
func TestSearch_controlsRewriteTheBox(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("m", 20)...)
	g := open(t, p, "/?view=search&q=number&from=%2B919876543210")
	g.waitText(".total", "20 messages match")
	g.click(".search summary")
	if got := eval[string](g, "document.querySelector('[data-field=from]').value"); got != "+919876543210" {
		t.Errorf("the control has %q", got)
	}
	g.run(`for (const [field, value] of [["from", ""], ["since", "2025-01-15T10:00:05"], ["q", "m number"]]) {
		const input = document.querySelector("[data-field=" + field + "]");
		input.value = value;
		input.dispatchEvent(new Event("change"));
	}
	document.querySelector("[name=order]").value = "asc"`)
	g.click(".search .primary")
	g.waitText(".total", "15 messages match")
	if got := g.texts("td.text")[0]; got != "m number 5" {
		t.Errorf("oldest first begins with %q", got)
	}
}

func TestSearch_hasPagesAndBackWorks(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("m", 120)...)
	g := open(t, p, "/")
	g.wait("the page", "document.querySelector('#search')")
	g.press("3")
	g.waitText("h1", "Pipeline")
	g.press("/")
	g.wait("the focus in the box", "document.activeElement.id === 'search'")
	g.search("number")
	var seen []string
	for n := 1; ; n++ {
		g.waitText(".pager", fmt.Sprintf("Page %d", n))
		g.waitText(".total", "120 messages match")
		seen = append(seen, g.texts("td.text")...)
		if !eval[bool](g, "Boolean(document.querySelector('#next'))") {
			break
		}
		g.press("n")
	}
	if len(seen) != 120 || seen[0] != "m number 119" || seen[119] != "m number 0" {
		t.Errorf("%d messages, from %s to %s", len(seen), seen[0], seen[len(seen)-1])
	}
	g.do(back())
	g.waitText(".pager", "Page 2")
	g.click("tbody tr:nth-child(30) a")
	g.waitText("h1", "m040")
	g.do(back())
	g.wait("the row that was open", "document.activeElement.innerText === 'm number 40'")
	g.do(back())
	g.waitText(".pager", "Page 1")
	for _, name := range []string{"search", "pipeline", "live"} {
		g.do(back())
		g.wait(name, "document.querySelector('main').dataset.view === "+quote(name))
	}
}
