package browser

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sluice/test/harness"
	"sluice/test/load"
)

var (
	images  = flag.String("images", "", "write the README's pictures of the page into this directory")
	gallery = flag.String("gallery", "", "write pictures of every view into this directory, for who changes the page")
)

// The README's pictures: some seconds of a day at work.
func TestImages(t *testing.T) {
	if *images == "" {
		t.Skip("make screenshots runs this")
	}
	p, end := busy(t)
	g := open(t, p, "/?view=pipeline")
	g.size(1200, 700)
	g.dark(true)
	g.settled()
	g.save(*images, "page-dark", false)
	end()
	g.dark(false)
	g.visit("/")
	g.settled()
	p.talk()
	g.wait("the last one", firstText+" === 'Delivered. Thanks for choosing us!'")
	g.save(*images, "page-light", false)
}

// Every view, wide and narrow, empty, busy and degraded.
func TestGallery(t *testing.T) {
	if *gallery == "" {
		t.Skip("it is for who changes the page: -gallery DIR")
	}
	empty := start(t, "secret")
	g := open(t, empty, "/")
	g.excuse("401")
	g.save(*gallery, "login", true)
	g.logIn("secret")
	g.waitText(".status", "Live")
	g.views("empty", nil)

	p, _ := busy(t)
	open(t, p, "/").views("busy", p)

	p.Writer.Stop()
	p.Post(p.numbered("late", 30)...)
	open(t, p, "/").views("degraded", nil)
}

// busy returns a pipeline after a morning's work, under a gentle load that goes on
// until end is called or the test ends.
func busy(t *testing.T) (p *work, end func()) {
	t.Helper()
	p = start(t, "")
	morning := load.Payload{Seed: 7, Senders: 40, Text: 90, Start: time.Now().Add(-20 * time.Hour), Spread: 20 * time.Hour}
	load.Run(t.Context(), load.Config{Addr: p.Addr, Secret: harness.Secret, Payload: morning, Count: 9_000, Connections: 16, Rate: 1800})
	p.deadLetter(t, "{\"v\":99,\"message_id\":\"of a newer version\"}")
	p.deadLetter(t, "\xff\xfe\x00 not text \x01\x02")
	p.Do("POST", "/webhook", []byte(`{"message_id":"x"}`), "X-Signature", "cafe")
	p.PostBody([]byte(`{"message_id":"m1","from":"nobody","to":"+1","ts":"yesterday"}`))

	now := load.Payload{Seed: 8, Senders: 40, Text: 90, Start: time.Now(), Spread: time.Second}
	end = p.under(t, load.Config{Payload: now, Connections: 8, Rate: 350})
	time.Sleep(*plot / 2) // the plot needs something to show
	now.Seed++
	load.Run(t.Context(), load.Config{Addr: p.Addr, Secret: harness.Secret, Payload: now, Count: 10_000, Connections: 32, Rate: 1400})
	time.Sleep(*plot / 2)
	return p, end
}

var plot = flag.Duration("plot", 30*time.Second, "how long pictures wait for the plot to fill")

// under runs a load until the test ends, and returns what ends it before.
func (p *work) under(t *testing.T, c load.Config) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	c.Addr, c.Secret = p.Addr, harness.Secret
	go func() {
		defer close(ended)
		load.Run(ctx, c)
	}()
	end = func() { cancel(); <-ended }
	t.Cleanup(end)
	return end
}

// talk posts messages as people write them.
func (p *work) talk() {
	for i, text := range []string{
		"Good morning! Is order 4711 on its way?", "Yes, it left Hamburg last night 🚚", "Wonderful, thank you", "Could you bring it after five?",
		"¿Puedo cambiar la dirección de entrega?", "Claro, ¿a qué calle?", "المستند وصل، شكرا جزيلا", "Invoice 2025-118 is attached",
		"Your appointment is confirmed: Tuesday 10:30", "Reply 1 to confirm, 2 to move it", "1", "ありがとうございます", "The code is 204816. It expires in ten minutes.",
		"Danke, alles gut angekommen 🎉", "I have not received it yet :(", "Let me look into that for you", "Merci beaucoup !", "Delivered. Thanks for choosing us!",
	} {
		m := hello(fmt.Sprintf("wamid.%d", 1000+i), text)
		m.From, m.TS = fmt.Sprintf("+49151%08d", 20771345+i*i*7919%90_000_000), time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		p.Post(m)
		time.Sleep(170 * time.Millisecond)
	}
}

// views saves each view in light and dark, wide and narrow. p has messages to open.
func (g *page) views(state string, p *work) {
	g.t.Helper()
	paths := map[string]string{
		"live": "/", "search": "/?view=search&q=order", "pipeline": "/?view=pipeline", "stats": "/?view=stats",
		"dead-letters": "/?view=dead-letters", "rejections": "/?view=rejections", "message": "/?view=message&id=unknown",
	}
	if p != nil {
		paths["message"] = "/?view=message&id=" + p.Messages("order", "desc").Data[0].ID
	}
	g.excuse("404")
	for name, path := range paths {
		for _, width := range []int64{1440, 390} {
			g.size(width, 900)
			g.dark(name == "search" || name == "message")
			g.visit(path)
			g.settled()
			g.save(*gallery, fmt.Sprintf("%s-%s-%d", name, state, width), name != "live" && name != "search")
		}
	}
}

// settled waits until the page has asked for everything once.
func (g *page) settled() {
	g.t.Helper()
	g.wait("the pulse", "document.querySelector('#pulse').children.length")
	time.Sleep(1200 * time.Millisecond)
}

func (g *page) save(dir, name string, whole bool) {
	g.t.Helper()
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	picture, err := chromedp.Run(g.ctx, take)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		g.t.Fatal(err)
	}
}
