package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// page is a tab in a window of its own, without cookies and storage of others.
// Its methods fail the test when the page does not do its part.
type page struct {
	t   *testing.T
	ctx context.Context
	url string // of the api

	mu       sync.Mutex
	problems []string // what the browser's console had to say beyond mere news
	excused  []string // parts of such lines that belong to the test
}

// open shows a path of the pipeline's api in a new window. At its end the test
// fails if the console has errors that excuse has not named.
func open(t *testing.T, p *work, path string) *page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a window: %v", err)
	}
	g := &page{t: t, ctx: ctx, url: p.URL}
	listened := make(chan struct{})
	messages := chromedp.Console(ctx)
	go func() {
		defer close(listened)
		for m, err := range messages {
			if err != nil {
				return
			}
			g.note(m)
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the page showed:\n%s", g.seen())
		}
		closeTab()
		<-listened
		g.checkConsole()
	})
	g.size(1440, 900)
	g.visit(path)
	return g
}

func (g *page) note(m chromedp.ConsoleMessage) {
	if !m.IsException() && m.Type != "error" && m.Type != "warning" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.problems = append(g.problems, m.String()+" "+m.URL)
}

// excuse names a part of a console line that the test brings about itself.
func (g *page) excuse(part string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.excused = append(g.excused, part)
}

func (g *page) checkConsole() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, problem := range g.problems {
		if !slices.ContainsFunc(g.excused, func(part string) bool { return strings.Contains(problem, part) }) {
			g.t.Errorf("the console says: %s", problem)
		}
	}
}

// do runs actions, which wait until they can be done.
func (g *page) do(actions ...chromedp.Action[chromedp.Void]) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		g.t.Fatal(err)
	}
}

func (g *page) visit(path string) {
	g.t.Helper()
	g.do(chromedp.Navigate(g.url + path))
}

// eval evaluates JavaScript and waits for its promise.
func eval[T any](g *page, script string) T {
	g.t.Helper()
	result, err := try[T](g, script)
	if err != nil {
		g.t.Fatalf("%s: %v", script, err)
	}
	return result
}

// run evaluates JavaScript for what it does.
func (g *page) run(script string) {
	g.t.Helper()
	eval[any](g, script+"; null")
}

func try[T any](g *page, script string) (T, error) {
	ctx, cancel := context.WithTimeout(g.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// wait waits until a JavaScript expression is true, also across pages.
func (g *page) wait(what, condition string) {
	g.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if isTrue, err := try[bool](g, "Boolean("+condition+")"); err == nil && isTrue {
			return
		}
	}
	g.t.Fatalf("%s: never within %v", what, patience)
}

// waitText waits until an element's text contains some.
func (g *page) waitText(selector, text string) {
	g.t.Helper()
	g.wait(fmt.Sprintf("%q in %s", text, selector),
		fmt.Sprintf("document.querySelector(%s)?.innerText.includes(%s)", quote(selector), quote(text)))
}

// texts returns the texts of all such elements, as they are painted.
func (g *page) texts(selector string) []string {
	g.t.Helper()
	return eval[[]string](g, fmt.Sprintf("[...document.querySelectorAll(%s)].map((e) => e.innerText)", quote(selector)))
}

func (g *page) click(selector string) {
	g.t.Helper()
	g.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// press presses keys on whatever has the focus.
func (g *page) press(keys string) {
	g.t.Helper()
	g.do(chromedp.KeyEvent(keys))
}

// search types over what is in the search box and sends it.
func (g *page) search(words string) {
	g.t.Helper()
	g.run("document.querySelector('#search').select()")
	g.press(kb.Backspace + words + "\r")
}

// address returns the page's path and query.
func (g *page) address() string {
	g.t.Helper()
	return eval[string](g, "location.pathname + location.search")
}

// seen returns all text of the page, for who reads a failed test.
func (g *page) seen() string {
	text, err := try[string](g, "location.href + '\\n' + document.body.innerText.slice(0, 3000)")
	if err != nil {
		return err.Error()
	}
	return text
}

// dark chooses the colours that the system prefers.
func (g *page) dark(isDark bool) {
	g.t.Helper()
	value := "light"
	if isDark {
		value = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: value}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(g.ctx, emulation.SetEmulatedMedia, media); err != nil {
		g.t.Fatal(err)
	}
}

// size sets the window's size in CSS pixels.
func (g *page) size(width, height int64) {
	g.t.Helper()
	g.do(chromedp.EmulateViewport(width, height))
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// clearCookies forgets what the window was given.
func clearCookies(ctx context.Context, _ *chromedp.Target) error {
	_, err := chromedp.Call(ctx, network.ClearBrowserCookies, cdp.Empty{})
	return err
}
