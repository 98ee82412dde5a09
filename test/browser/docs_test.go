package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"sluice/test/harness"
)

// tryWebhook opens the webhook in the API's page, sends the example, and returns
// the status that the page shows.
func (g *page) tryWebhook(secret string) string {
	g.t.Helper()
	const operation = "#operations-Webhooks-postWebhook"
	g.visit("/docs")
	g.wait("the API", "document.querySelector('"+operation+"')")
	if secret != "" {
		g.do(chromedp.SendKeys(chromedp.CSS("#secret"), secret))
	}
	g.run("document.querySelector('" + operation + " .opblock-summary-control').click()")
	// Swagger UI shows the button before it has the example, and sends nothing without.
	g.wait("the example", "document.querySelector('"+operation+" textarea')?.value.includes('message_id')")
	g.wait("the button", "document.querySelector('"+operation+" button.execute')")
	const answered = "document.querySelector('" + operation + " .live-responses-table .response .response-col_status')"
	g.run("document.querySelector('" + operation + " button.execute').click()")
	g.wait("an answer", answered)
	return eval[string](g, answered+".innerText.trim()")
}

func TestDocs_signAWebhook(t *testing.T) {
	p := start(t, "secret")
	g := open(t, p, "/docs")
	g.excuse("401")
	g.logIn("secret")
	g.wait("the page behind the form", "document.querySelector('#secret')")
	if status := g.tryWebhook(harness.Secret); status != "200" {
		t.Errorf("signed with the secret: %s", status)
	}
	if text := eval[string](g, "fetch('/messages/m1').then((r) => r.json()).then((m) => m.text)"); text != "Hello" {
		t.Errorf("the message reads %q", text)
	}
	if status := g.tryWebhook("another secret"); status != "401" {
		t.Errorf("signed with another secret: %s", status)
	}
	if status := g.tryWebhook(""); status != "401" {
		t.Errorf("not signed: %s", status)
	}
}
