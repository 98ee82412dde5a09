package browser

import (
	"fmt"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

// shown is how many rows the list of messages has.
const shown = "document.querySelectorAll('table.messages tbody tr').length"

// firstText is the newest message's text.
const firstText = "document.querySelector('table.messages tbody .text')?.innerText"

func TestLive_showsWhatArrives(t *testing.T) {
	p := start(t, "")
	g := open(t, p, "/")
	g.waitText(".empty", "Waiting for the first message")
	p.Post(p.numbered("first", 3)...)
	g.wait("three rows", shown+" === 3")
	if got := g.texts("td.text"); fmt.Sprint(got) != "[first number 2 first number 1 first number 0]" {
		t.Errorf("%q is not newest first", got)
	}
	g.waitText(".total", "3 messages stored")
	p.Post(hello("late", "the newest"))
	g.wait("the newest on top", firstText+" === 'the newest'")
}

// A burst that no page could show: the list stays short, the newest message is on
// it at the end, and the page says that it shows a part.
func TestLive_survivesABurst(t *testing.T) {
	p := start(t, "")
	g := open(t, p, "/")
	g.waitText(".status", "Live")
	g.run(`window.most = 0; window.notes = new Set();
		new MutationObserver(() => {
			most = Math.max(most, ` + shown + `);
			notes.add(document.querySelector('.note').innerText);
		}).observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true })`)
	got := load.Run(t.Context(), load.Config{Addr: p.Addr, Secret: harness.Secret, Count: 20_000, Connections: 64, Retry: true, Prepare: true})
	p.Post(hello("end", "the end"))
	g.wait("the end of the burst", firstText+" === 'the end'")
	g.waitText(".total", fmt.Sprintf("%s messages", thousands(got.OK()+1)))
	if most := eval[int](g, "most"); most > 200 {
		t.Errorf("the list grew to %d rows", most)
	}
	if !eval[bool](g, "[...notes].some((n) => n.includes('pass unseen'))") {
		t.Error("it did not say that it shows a part")
	}
}

func TestLive_pausesAndGoesOn(t *testing.T) {
	p := start(t, "")
	p.Post(hello("before", "before"))
	g := open(t, p, "/")
	g.wait("a row", shown+" === 1")
	g.click("#pause")
	p.Post(p.numbered("while", 5)...)
	g.waitText(".status", "Paused · 5 newer")
	if got := g.texts("td.text"); fmt.Sprint(got) != "[before]" {
		t.Errorf("paused, it shows %q", got)
	}
	g.press("p")
	g.wait("what came meanwhile", shown+" === 6 && "+firstText+" === 'while number 4'")
}

// Nothing is lost or shown twice when the api goes and comes back.
func TestLive_goesOnAfterTheApiWasAway(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("before", 3)...)
	g := open(t, p, "/")
	g.excuse("ERR_") // the browser tells of every connection that fails
	g.excuse("503")
	g.wait("three rows", shown+" === 3")
	p.API.Kill()
	g.waitText("#banner", "The api does not answer")
	g.waitText(".status", "Connecting again")
	p.API.StartReady()
	p.Post(p.numbered("after", 3)...)
	g.wait("three more", shown+" === 6")
	g.wait("no banner", "!document.querySelector('#banner').innerText")
	if got := g.texts("td.text"); fmt.Sprint(got) != "[after number 2 after number 1 after number 0 before number 2 before number 1 before number 0]" {
		t.Errorf("%q", got)
	}
}

func TestLive_takesFilters(t *testing.T) {
	p := start(t, "")
	g := open(t, p, "/?q=wanted")
	g.waitText(".status", "Live")
	p.Post(hello("a", "unwelcome"), hello("b", "very wanted"), hello("c", "unwelcome"))
	g.wait("the one that matches", shown+" === 1 && "+firstText+" === 'very wanted'")
	g.waitText(".total", "1 message matches")
}

// Whoever reads does not want the list to move: j and k stop it.
func TestLive_stopsForWhoReads(t *testing.T) {
	p := start(t, "")
	p.Post(p.numbered("m", 3)...)
	g := open(t, p, "/")
	g.wait("three rows", shown+" === 3")
	g.press("jj")
	g.waitText(".status", "Paused")
	g.press("\r")
	g.waitText("h1", "m001")
	g.do(back())
	g.wait("the row that was open", "document.activeElement.innerText === 'm number 1'")
	g.press("\x1b")
	g.waitText(".status", "Live")
}

// thousands writes a number as the page does.
func thousands(n uint64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
