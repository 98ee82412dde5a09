package browser

import (
	"strings"
	"testing"

	"sluice/test/harness"
)

func TestMessage_tellsItsWay(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("m", 8)...)
	id := "odd/id?&#% \"ü\" ."
	m := hello(id, "the words")
	m.TS = "2025-01-15T10:00:00.123456789Z"
	seq := p.Post(m)
	p.WaitApplied(seq)
	g := open(t, p, "/?view=search&q=the+words")
	g.waitText(".total", "1 message matches")
	g.click("tbody a")
	g.waitText("h1", id)
	for _, part := range []string{"the words", "+919876543210", "+14155550100", "2025-01-15 10:00:00.123", "plain"} {
		g.waitText("main", part)
	}
	g.waitText(".way", "sequence 9")
	g.waitText("pre", `"text": "the words"`)
	g.waitText(".wide", "All 9 messages from +919876543210")
	if got := len(g.texts(".wide tbody tr")); got != 5 {
		t.Errorf("%d others of the sender", got)
	}

	g.run(`navigator.clipboard.writeText = async (text) => (window.copied = text)`)
	for button, want := range map[string]string{"Copy JSON": `"seq": 9`, "Copy API URL": g.url + "/messages/odd%2Fid"} {
		g.run(`[...document.querySelectorAll("button")].find((b) => b.innerText === ` + quote(button) + `).click()`)
		g.wait(button, "window.copied?.includes("+quote(want)+")")
	}
	if url := eval[string](g, "document.querySelector('.actions a').href"); p.Get(strings.TrimPrefix(url, g.url)).Status != 200 {
		t.Errorf("%s does not answer", url)
	}
	g.click(".wide .bar a")
	g.waitText(".total", "9 messages match")
}

func TestMessage_unknownIsSaid(t *testing.T) {
	g := open(t, start(t, ""), "/?view=message&id=nobody")
	g.excuse("404")
	g.waitText(".empty", "There is no message with the id nobody")
}

// What strangers write stays text, and does not break what surrounds it.
func TestText_isNeverMarkup(t *testing.T) {
	p := start(t, "")
	script := `<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1"><b>bold</b>`
	emoji := strings.Repeat("\u202e\U0001f389", 2048) // right to left, 4096 characters
	p.Post(hello("script", script), hello("emoji", emoji), hello("<b>id</b>", "\u202etext"))
	g := open(t, p, "/")
	g.wait("all three", shown+" === 3")
	g.waitText("tbody", script)
	g.wantAccessible("live")
	for _, id := range []string{"script", "emoji", "<b>id</b>"} {
		g.visit(messageAddress(id))
		g.waitText("h1", id)
		g.wait("the raw payload", "document.querySelector('pre')")
		g.size(390, 900)
		g.wantAccessible(id)
	}
	if eval[bool](g, "Boolean(window.hacked || document.querySelector('main b, main img, main script'))") {
		t.Error("a text became markup")
	}
	g.visit(messageAddress("emoji"))
	g.wait("all of the text", "document.querySelector('.words')?.textContent === "+quote(emoji))
}

// messageAddress is the page's URL of a message.
func messageAddress(id string) string {
	return "/?view=message&id=" + strings.TrimPrefix(harness.MessagePath(id), "/messages/")
}
