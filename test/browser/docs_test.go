package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"sluice/test/harness"
)

// tryWebhook opens an operation in the API's page, sends the example, or the body
// when there is one, and returns the status that the page shows.
func (g *page) tryWebhook(name, secret, body string) string {
	g.t.Helper()
	operation := "#operations-Webhooks-" + name
	g.visit("/docs")
	g.wait("the API", "document.querySelector('"+operation+"')")
	if secret != "" {
		g.do(chromedp.SendKeys(chromedp.CSS("#secret"), secret))
	}
	g.run("document.querySelector('" + operation + " .opblock-summary-control').click()")
	// Swagger UI shows the button before it has the example, and sends nothing without.
	if body == "" {
		g.wait("the example", "document.querySelector('"+operation+" textarea')?.value.includes('message_id')")
	} else {
		g.wait("the body's field", "document.querySelector('"+operation+" textarea')")
		g.do(chromedp.Focus(chromedp.CSS(operation + " textarea")))
		g.run("document.activeElement.select()")
		g.press(body)
	}
	g.wait("the button", "document.querySelector('"+operation+" button.execute')")
	answered := "document.querySelector('" + operation + " .live-responses-table .response .response-col_status')"
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
	if status := g.tryWebhook("postWebhook", harness.Secret, ""); status != "200" {
		t.Errorf("signed with the secret: %s", status)
	}
	if text := eval[string](g, "fetch('/messages/m1').then((r) => r.json()).then((m) => m.text)"); text != "Hello" {
		t.Errorf("the message reads %q", text)
	}
	if status := g.tryWebhook("postWebhook", "another secret", ""); status != "401" {
		t.Errorf("signed with another secret: %s", status)
	}
	if status := g.tryWebhook("postWebhook", "", ""); status != "401" {
		t.Errorf("not signed: %s", status)
	}
}

// The other senders sign in ways of their own.
func TestDocs_signAsOtherSendersDo(t *testing.T) {
	const standard = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	p := &work{harness.Start(t, harness.Options{API: map[string]string{
		"WHATSAPP_APP_SECRET": "the app's", "WHATSAPP_VERIFY_TOKEN": "verify", "STANDARD_WEBHOOKS_SECRET": standard,
	}})}
	g := open(t, p, "/docs")
	g.excuse("401")
	for name, secret := range map[string]string{"postWhatsapp": "the app's", "postStandard": standard} {
		const body = `{"message_id":"m1","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"}`
		if status := g.tryWebhook(name, secret, body); status != "200" {
			t.Errorf("%s: %s", name, status)
		}
		if status := g.tryWebhook(name, "", body); status != "401" {
			t.Errorf("%s, not signed: %s", name, status)
		}
	}
}
