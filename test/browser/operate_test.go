package browser

import (
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestLogin_wantsTheToken(t *testing.T) {
	p := start(t, "the right token")
	g := open(t, p, "/?view=search&q=hello")
	g.excuse("401")
	g.logIn("a wrong token")
	g.waitText("[role=alert]", "That is not the token")
	g.logIn("the right token")
	g.waitText(".total", "0 messages")
	if got := g.address(); got != "/?view=search&q=hello" {
		t.Errorf("it led to %s", got)
	}
	p.Post(hello("m", "hello"))
	g.visit("/")
	g.wait("the tail, by the session's cookie", shown+" === 1")
	g.click("#logout button")
	g.waitText("label", "Operator token")
	g.visit("/?view=pipeline")
	g.waitText("label", "Operator token")
}

// A session that ends under a page leads to the form, not to an empty list.
func TestLogin_isAskedForAgain(t *testing.T) {
	g := open(t, start(t, "token"), "/?view=stats")
	g.excuse("401")
	g.logIn("token")
	g.waitText("h1", "Stats")
	g.do(chromedp.Func(clearCookies))
	g.waitText("label", "Operator token")
}

func TestDeadLetters_areRetriedAndDiscarded(t *testing.T) {
	p := start(t, "token")
	p.deadLetter(t, `{"v":99}`)
	p.deadLetter(t, "\xff\x00")
	g := open(t, p, "/?view=dead-letters")
	g.excuse("401")
	g.logIn("token")
	g.waitText(".total", "2 dead letters")
	g.waitText("[data-seq='2'] pre", "ff 00")
	g.waitText("#dead-count", "2")

	act := func(letter, verb, answer string) {
		g.click("[data-seq='" + letter + "'] [data-verb=" + verb + "]")
		g.wait("the question", "document.querySelector('dialog[open]')")
		g.wantAccessible(verb)
		g.click("dialog button[value=" + answer + "]")
		g.wait("its end", "!document.querySelector('dialog')")
	}
	act("1", "retry", "yes")
	g.waitText("[role=status].note", "Sequence 1 cannot be read still")
	act("2", "discard", "no")
	g.waitText(".total", "2 dead letters")
	act("2", "discard", "yes")
	g.waitText("[role=status].note", "Sequence 2 is discarded")
	g.waitText(".total", "1 dead letter")
	g.waitText("#dead-count", "1")
	p.Writer.Stop()
	g.excuse("503")
	act("1", "discard", "yes")
	g.waitText("[role=status].note", "no writer answers")
}

func TestDeadLetters_needATokenToBeChanged(t *testing.T) {
	p := start(t, "")
	p.deadLetter(t, "garbage")
	g := open(t, p, "/?view=dead-letters")
	g.waitText(".total", "1 dead letter")
	g.waitText("main", "Set OPERATOR_TOKEN")
	if eval[int](g, "document.querySelectorAll('main button:enabled').length") > 0 {
		t.Error("there is a button to press")
	}
}

func TestPipeline_tellsWhatIsWrongOnEveryView(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("m", 10)...)
	g := open(t, p, "/?view=pipeline")
	g.wait("the plot", "document.querySelector('.plot polyline')")
	g.waitText(".checks", "database")
	g.wait("all is well", "document.querySelector('.flow') && !document.querySelector('.step.bad')")
	p.Writer.Stop()
	p.Post(p.numbered("late", 7)...)
	g.waitText("#banner", "The writer is not running: webhooks are accepted but not stored")
	g.waitText(".flow", "7 entries")
	for key, view := range map[string]string{"1": "live", "2": "search", "4": "stats", "5": "dead-letters", "6": "rejections"} {
		g.press(key)
		g.wait(view, "document.querySelector('main').dataset.view === "+quote(view))
		g.wait("the banner", "document.querySelector('#banner.bad')?.checkVisibility() && document.title.startsWith('⚠')")
	}
	p.Writer.StartReady()
	g.wait("no banner", "!document.querySelector('#banner').innerText && !document.title.startsWith('⚠')")
}

// An api that hangs is as bad as one that is away.
func TestBanner_tellsOfAnApiThatHangs(t *testing.T) {
	p := start(t, "")
	g := open(t, p, "/?view=stats")
	g.waitText("#pulse", "waiting")
	p.API.Signal(syscall.SIGSTOP)
	defer p.API.Signal(syscall.SIGCONT)
	g.waitText("#banner", "The api does not answer")
	p.API.Signal(syscall.SIGCONT)
	g.wait("no banner", "!document.querySelector('#banner').innerText")
}

// What the banner says of states that are hard to bring about.
func TestBanner_judges(t *testing.T) {
	g := open(t, start(t, ""), "/")
	well := `{ stream: { available: true, full: false, bytes: 1, max_bytes: 10, missing: 0 }, writers: [{ name: "w", running: true, lag_entries: 5, lag_seconds: 1 }], database: { available: true, wal_bytes: 1 } }`
	for change, want := range map[string]string{
		"":                          "",
		"checks.stream = 'no disk'": "bad: Check stream fails: no disk",
		"p.stream.full = true":      "bad: The stream is full: webhooks get 503 until there is room.",
		"p.stream.bytes = 9":        "warn: The stream is nearly full. 9 B of 10 B.",
		"p.stream.full = true; checks.stream = 'the stream is full'": "bad: The stream is full: webhooks get 503 until there is room.",
		"p.stream.missing = 1":                                                       "bad: 1 entry of the stream is lost to damage.",
		"p.stream = { available: false, detail: 'no answer' }":                       "bad: The stream is away, webhooks get 503: no answer",
		"p.writers[0].lag_seconds = 12":                                              "warn: The writer is behind. 5 entries wait, the oldest for 12 s.",
		"p.writers[0].lag_seconds = 300":                                             "bad: The writer is behind. 5 entries wait, the oldest for 5 min.",
		"p.writers.push({ name: 'copy', running: null, lag_entries: 0 })":            "",
		"p.writers.push({ name: 'copy', running: false, lag_entries: 0 })":           "bad: Writer copy is not running: webhooks are accepted but not stored.",
		"p.database = { available: false, detail: 'no such file' }":                  "bad: The database cannot be read: no such file",
		"p.database = { available: false, detail: 'x' }; checks.database = 'x'":      "bad: The database cannot be read: x",
		"p.database.wal_bytes = 2 ** 30":                                             "warn: The database's log has grown. 1 GiB.",
		"p.database.wal_bytes = 2 ** 30; p.stream.full = true; p.stream.missing = 0": "bad: The stream is full: webhooks get 503 until there is room.|warn: The database's log has grown. 1 GiB.",
	} {
		g.run(`window.said = import("/assets/health.js").then(({ judge }) => {
			const p = ` + well + `, checks = { stream: "ok" };
			` + change + `;
			return judge(p, checks).map((x) => (x.bad ? "bad: " : "warn: ") + x.text + x.more).join("|");
		})`)
		if got := eval[string](g, "window.said"); got != want {
			t.Errorf("%s: %q, want %q", change, got, want)
		}
	}
}

func TestStats_countAndLead(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("m", 20)...)
	g := open(t, p, "/?view=stats")
	g.waitText(".flow", "20")
	g.waitText(".ranks", "+919876543210")
	g.run("document.querySelector('.plot a').dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))")
	g.waitText(".total", "20 messages match")
	g.visit("/?view=stats&unit=day")
	g.waitText("main", "Messages by day")
	g.wait("a bar", "document.querySelector('.plot a')")
}

// The plot of one sender leads to that sender's messages, earlier and later.
func TestStats_ofOneSender(t *testing.T) {
	p := start(t, "")
	other := hello("other", "of another")
	other.From, other.TS = "+4915112345678", "2025-01-15T10:30:00Z"
	p.Post(append(p.numbered("m", 20), other)...)
	g := open(t, p, "/?view=message&id=other")
	g.waitText(".wide", "All 1 message from")
	g.click(".wide .bar a:last-child")
	g.waitText("main", "Messages by hour from +4915112345678")
	g.wait("one bar", "document.querySelectorAll('.plot a').length === 1")
	g.wait("its words", "document.querySelector('.plot a').getAttribute('aria-label') === '2025-01-15 10:00: 1 message'")
	g.click(".actions a:nth-child(3)")
	g.wait("nothing earlier", "location.search.includes('until=') && document.querySelector('.plot svg') && !document.querySelector('.plot a')")
	g.click(".actions a:nth-child(4)")
	g.wait("the bar again", "document.querySelectorAll('.plot a').length === 1")
}

func TestRejections_tellWhy(t *testing.T) {
	p := start(t, "")
	p.Do("POST", "/webhook", []byte(`{"secret":"body"}`), "X-Signature", "cafe", "X-Trace", "<i>t1</i>")
	g := open(t, p, "/?view=rejections")
	g.waitText("summary", "the signature does not match the body")
	g.click(".rejections summary")
	g.waitText(".rejections dl", "<i>t1</i>")
	g.waitText(".rejections dl", "••• (4 bytes)")
}

func TestTheme_followsTheSystemUnlessTold(t *testing.T) {
	g := open(t, start(t, ""), "/")
	const brightness = "parseInt(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0])"
	g.dark(true)
	g.wait("dark", brightness+" < 60")
	g.dark(false)
	g.wait("light", brightness+" > 200")
	g.press("t")
	g.wait("dark by choice", brightness+" < 60")
	g.visit("/?view=stats")
	g.wait("dark still", brightness+" < 60")
	g.click("#theme")
	g.wait("light again", brightness+" > 200")
	g.dark(true)
	g.wait("the system's choice again", brightness+" < 60")
}
