package system

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/pkg/contract"
	"sluice/pkg/signature"
	"sluice/test/harness"
)

// What turns each sender's path on.
var (
	whatsappEnv = map[string]string{"WHATSAPP_APP_SECRET": "app secret", "WHATSAPP_VERIFY_TOKEN": "the token"}
	twilioEnv   = map[string]string{"TWILIO_AUTH_TOKEN": "auth token", "PUBLIC_URL": "https://hooks.example.org"}
	standardEnv = map[string]string{"STANDARD_WEBHOOKS_SECRET": "whsec_c2VjcmV0"}
)

// startSender runs a pipeline with a sender's path on.
func startSender(t *testing.T, env ...map[string]string) *harness.Pipeline {
	t.Helper()
	all := maps.Clone(patient)
	for _, e := range env {
		maps.Copy(all, e)
	}
	return harness.Start(t, harness.Options{API: all})
}

// detail returns all that is known of a message.
func detail(t *testing.T, p *harness.Pipeline, id string) (m contract.FullMessage) {
	t.Helper()
	p.Decode(harness.MessagePath(id), &m)
	return m
}

func postWhatsApp(p *harness.Pipeline, secret, body string) *harness.Response {
	return p.Do("POST", "/webhook/whatsapp", []byte(body), signature.HubSHA256Header, signature.NewHubSHA256(secret).Sign([]byte(body)))
}

// whatsappChange is a delivery with one change.
func whatsappChange(parts string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",` +
		`"metadata":{"display_phone_number":"15550100199","phone_number_id":"2"},` + parts + `}}]}]}`
}

func TestSenders_areOffWithoutASecret(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"/webhook/whatsapp", "/webhook/twilio", "/webhook/standard"} {
		wantDetail(t, p.Do("POST", path, []byte("{}")), 404)
		wantDetail(t, p.Get(path), 404)
	}
}

func TestWhatsApp_fromTheHandshakeToTheDetail(t *testing.T) {
	t.Parallel()
	p := startSender(t, whatsappEnv)
	res := p.Get("/webhook/whatsapp?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=the+token")
	if res.Status != 200 || string(res.Body) != "1158201444" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("the handshake: %d %s", res.Status, res.Body)
	}
	wantDetail(t, p.Get("/webhook/whatsapp?hub.mode=subscribe&hub.challenge=1&hub.verify_token=another"), 403)

	id := "wamid.HBgLNDkzMDEyMzQ1NjcVAgASGBQzQUZGRkZGRkZGRkZGRkZGRkYA/+=="
	text := fmt.Sprintf(`{"from":"4930123456","id":%q,"timestamp":"1736935200","type":"text","text":{"body":"Hallo"}}`, id)
	image := `{"from":"4930123456","id":"wamid.image","timestamp":"1736935201","type":"image","image":{"id":"5","caption":"der Hafen"}}`
	read := fmt.Sprintf(`{"id":%q,"status":"read","timestamp":"1736935300","recipient_id":"4930123456"}`, id)
	sent := fmt.Sprintf(`{"id":%q,"status":"sent","timestamp":"1736935210","recipient_id":"4930123456"}`, id)
	for _, body := range []string{
		whatsappChange(`"statuses":[` + read + `]`), // it may overtake its message
		whatsappChange(`"messages":[` + text + `,` + image + `],"statuses":[` + sent + `]`),
		whatsappChange(`"messages":[` + text + `]`),
		whatsappChange(`"future":[1]`),
		"not even JSON",
	} {
		if res := postWhatsApp(p, "app secret", body); res.Status != 200 || string(res.Body) != `{"status":"ok"}` || res.Sequence() == 0 {
			t.Fatalf("%s: %d %s", body, res.Status, res.Body)
		}
	}
	if got := p.Messages("from", "+4930123456", "order", "asc").IDs(); !slices.Equal(got, []string{id, "wamid.image"}) {
		t.Errorf("messages %q", got)
	}
	m := detail(t, p, id)
	if m.Source != "whatsapp" || m.To != "+15550100199" || m.TS != "2025-01-15T10:00:00Z" || *m.Text != "Hallo" ||
		len(m.Statuses) != 2 || m.Statuses[0].Status != "sent" || *m.Statuses[1].TS != "2025-01-15T10:01:40Z" || *m.Statuses[1].Recipient != "+4930123456" {
		t.Errorf("%+v", m)
	}
	if m := detail(t, p, "wamid.image"); *m.Text != "der Hafen" || !bytes.Contains(m.Raw, []byte(image)) || len(m.Statuses) != 0 {
		t.Errorf("%+v %s", m, m.Raw)
	}
	harness.Eventually(t, "what nobody can read as dead letters", func() bool {
		return p.WriterMetrics()[`sluice_writer_messages_total{result="dead_letter"}`] == 2
	})
	counts := p.APIMetrics()
	if counts[`webhook_entries_total{source="whatsapp",kind="message",result="duplicate"}`] != 1 || counts[`webhook_signatures_total{source="whatsapp",secret="current"}`] != 5 {
		t.Errorf("the metrics are wrong: %v", counts)
	}
	wantDetail(t, postWhatsApp(p, "another secret", whatsappChange(`"messages":[`+text+`]`)), 401)
	if said := p.MustRun("verify").Stdout; !strings.Contains(said, "2 rows equal, 2 statuses, 0 repeats, 2 dead letters") {
		t.Errorf("stream and database are not the same: %s", said)
	}
}

// thousandTexts is a delivery of as many messages as there may be.
func thousandTexts(prefix string) string {
	parts := make([]string, 1000)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"from":"1","id":"%s%04d","timestamp":"1736935200","type":"text","text":{"body":"x"}}`, prefix, i)
	}
	return whatsappChange(`"messages":[` + strings.Join(parts, ",") + `]`)
}

// Wherever a kill cuts a delivery off, its retry completes it.
func TestWhatsApp_aDeliveryThatAKillCutOff(t *testing.T) {
	t.Parallel()
	p := startSender(t, whatsappEnv)
	const rounds = 4
	for round := range rounds {
		body := thousandTexts(fmt.Sprintf("wamid.%d.", round))
		header := []string{signature.HubSHA256Header, signature.NewHubSHA256("app secret").Sign([]byte(body))}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _ = p.Try("POST", "/webhook/whatsapp", []byte(body), header...) // it may be answered, or not
		}()
		harness.Eventually(t, "some of it in the stream", func() bool {
			return p.APIMetrics()["sluice_stream_last_sequence"] > float64(round*1000) || closed(answered)
		})
		p.API.Kill()
		<-answered
		p.API.StartReady()
		if res := p.Do("POST", "/webhook/whatsapp", []byte(body), header...); res.Status != 200 {
			t.Fatalf("the retry: %d %s", res.Status, res.Body)
		}
	}
	harness.Eventually(t, "every message in the database", func() bool { return p.Messages().Total >= rounds*1000 })
	if page := p.Messages(); page.Total != rounds*1000 {
		t.Errorf("%d messages of %d", page.Total, rounds*1000)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWhatsApp_aThousandMessagesAtOnce(t *testing.T) {
	t.Parallel()
	p := startSender(t, whatsappEnv)
	parts := make([]string, 1000)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"from":"1","id":"wamid.%04d","timestamp":"1736935200","type":"document","document":{"filename":%q}}`, i, strings.Repeat("x", 2900))
	}
	body := whatsappChange(`"messages":[` + strings.Join(parts, ",") + `]`)
	if len(body) < 2_900_000 {
		t.Fatalf("%d bytes are not nearly the three megabytes that Meta may send", len(body))
	}
	for range 2 {
		if res := postWhatsApp(p, "app secret", body); res.Status != 200 || res.Sequence() != 1000 {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}
	if page := p.Messages("order", "asc", "limit", "1", "offset", "999"); page.Total != 1000 || page.Data[0].ID != "wamid.0999" {
		t.Errorf("%+v", page)
	}
}

func TestTwilio_signsTheURLThatItKnows(t *testing.T) {
	t.Parallel()
	p := startSender(t, twilioEnv)
	scheme := signature.NewTwilio([]string{"https://hooks.example.org/webhook/twilio"}, "auth token")
	form := url.Values{"MessageSid": {"SM1"}, "From": {"whatsapp:+4930123456"}, "To": {"whatsapp:+15550100199"}, "Body": {"Grüße & more"}}.Encode()
	res := p.Do("POST", "/webhook/twilio?tenant=a%2Fb", []byte(form), "Content-Type", "application/x-www-form-urlencoded",
		signature.TwilioHeader, scheme.Sign("?tenant=a%2Fb", []byte(form)))
	if res.Status != 200 || !strings.HasSuffix(string(res.Body), "<Response/>") || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/xml") {
		t.Fatalf("%d %s %s", res.Status, res.Header.Get("Content-Type"), res.Body)
	}
	delivered := url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"delivered"}, "To": {"+4930123456"}}.Encode()
	if res := p.Do("POST", "/webhook/twilio", []byte(delivered), signature.TwilioHeader, scheme.Sign("", []byte(delivered))); res.Status != 200 {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	m := detail(t, p, "SM1")
	if m.From != "+4930123456" || m.To != "+15550100199" || *m.Text != "Grüße & more" || m.Source != "twilio" || len(m.Statuses) != 1 || m.Statuses[0].TS != nil {
		t.Errorf("%+v", m)
	}
	wantDetail(t, p.Do("POST", "/webhook/twilio", []byte(form), signature.TwilioHeader, scheme.Sign("?tenant=a%2Fb", []byte(form))), 401)
}

func TestStandard_fiveMinutes(t *testing.T) {
	t.Parallel()
	p := startSender(t, standardEnv)
	scheme, err := signature.NewStandard("whsec_c2VjcmV0")
	if err != nil {
		t.Fatal(err)
	}
	post := func(id string, at time.Time) *harness.Response {
		body, err := json.Marshal(contract.NewMessage(new(hello(id))))
		if err != nil {
			t.Fatal(err)
		}
		return p.Do("POST", "/webhook/standard", body, signature.StandardIDHeader, "msg_1",
			signature.StandardTimestampHeader, strconv.FormatInt(at.Unix(), 10), signature.StandardSignatureHeader, "v1,AAAA "+scheme.Sign("msg_1", at, body))
	}
	if res := post("one", time.Now()); res.Status != 200 {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	wantDetail(t, post("two", time.Now().Add(-6*time.Minute)), 401)
	wantDetail(t, post("three", time.Now().Add(6*time.Minute)), 401)
	if page := p.Messages(); page.Total != 1 || detail(t, p, "one").Source != "standard" {
		t.Errorf("%+v", page)
	}
	if got := brokenFields(t, post("", time.Now()), "body"); !slices.Equal(got, []string{"message_id"}) {
		t.Errorf("broken fields %q", got)
	}
}

// A writer of before statuses were known kept them as dead letters.
func TestDeadLetters_retryOfAStatus(t *testing.T) {
	t.Parallel()
	p := startSender(t, whatsappEnv)
	body := whatsappChange(`"messages":[{"from":"1","id":"wamid.1","timestamp":"1","type":"audio"}],"statuses":[{"id":"wamid.1","status":"read","timestamp":"2"}]`)
	if res := postWhatsApp(p, "app secret", body); res.Status != 200 {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	p.WaitApplied(2)
	var entry contract.Entry
	p.Decode("/entries/2", &entry)
	p.Writer.Stop()
	db, err := sql.Open("sqlite", p.Database)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO dead_letters SELECT stream, seq, created_at, source, 'a newer version', ? FROM statuses`,
		`DELETE FROM statuses WHERE ? <> ''`,
		`UPDATE state SET dead_letters = 1 WHERE ? <> ''`,
	} {
		if _, err := db.Exec(statement, []byte(entry.Data)); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	p.Writer.StartReady()
	if m := detail(t, p, "wamid.1"); len(m.Statuses) != 0 {
		t.Fatalf("%+v", m)
	}
	if said := p.MustRun("dead-letters", "retry", "--all"); !strings.Contains(said.Stdout, "1 statuses of messages") {
		t.Errorf("it says %s", said.Stdout)
	}
	if m := detail(t, p, "wamid.1"); len(m.Statuses) != 1 || m.Statuses[0].Status != "read" {
		t.Errorf("%+v", m)
	}
}

func TestConfig_senders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"no token":     {map[string]string{"WHATSAPP_APP_SECRET": "x"}, "WHATSAPP_APP_SECRET is set, so WHATSAPP_VERIFY_TOKEN must be"},
		"no secret":    {map[string]string{"WHATSAPP_VERIFY_TOKEN": "x"}, "WHATSAPP_VERIFY_TOKEN is set, so WHATSAPP_APP_SECRET must be"},
		"no URL":       {map[string]string{"TWILIO_AUTH_TOKEN": "x"}, "TWILIO_AUTH_TOKEN is set, so PUBLIC_URL must be"},
		"no URL, said": {map[string]string{"TWILIO_AUTH_TOKEN": "x", "PUBLIC_URL": "example.org"}, `PUBLIC_URL="example.org": must be http`},
		"a query":      {map[string]string{"TWILIO_AUTH_TOKEN": "x", "PUBLIC_URL": "https://example.org?a=b"}, `must end before ? and #`},
		"no key":       {map[string]string{"STANDARD_WEBHOOKS_SECRET": "geheim"}, "STANDARD_WEBHOOKS_SECRET: must be whsec_"},
		"no current":   {map[string]string{"STANDARD_WEBHOOKS_SECRET_PREVIOUS": "whsec_c2VjcmV0"}, "so STANDARD_WEBHOOKS_SECRET must be"},
	} {
		t.Log(name)
		refused(t, c.env, c.want)
	}
}

// refused checks that the api does not start, and says why, but no secret.
func refused(t *testing.T, env map[string]string, want string) {
	t.Helper()
	p := harness.New(t, harness.Options{API: env})
	p.API.Start()
	if code := p.API.Wait(); code != 2 || !strings.Contains(p.API.Stderr(), want) || strings.Contains(p.API.Stderr(), "geheim") {
		t.Errorf("exit code %d, %s, want %s", code, p.API.Stderr(), want)
	}
}

func TestSend_asEverySender(t *testing.T) {
	t.Parallel()
	p := startSender(t, whatsappEnv, twilioEnv, standardEnv)
	env := []string{"WEBHOOK_SECRET=" + harness.Secret}
	for _, vars := range []map[string]string{whatsappEnv, twilioEnv, standardEnv} {
		for name, value := range vars {
			env = append(env, name+"="+value)
		}
	}
	for i, as := range []string{"plain", "whatsapp", "twilio", "standard"} {
		r := apiCommandWith(t, "", env, "send", "-url", p.URL, "-as", as, "-id", as+" 1", "-ts", "2025-01-15T10:00:00Z", "Grüße & mehr", "-from", "+4930123456")
		if want := fmt.Sprintf("%s 1 kept at sequence %d\n", as, i+1); r.Code != 0 || r.Stdout != want {
			t.Errorf("%+v, want %s", r, want)
			continue
		}
		m := detail(t, p, as+" 1")
		if m.Source != as || m.From != "+4930123456" || m.To != "+14155550100" || *m.Text != "Grüße & mehr" || as != "twilio" && m.TS != "2025-01-15T10:00:00Z" {
			t.Errorf("%s: %+v", as, m)
		}
		if r := apiCommandWith(t, "", nil, "send", "-url", p.URL, "-as", as, "x"); r.Code != 2 || !strings.Contains(r.Stderr, "must be set") {
			t.Errorf("without a secret: %+v", r)
		}
	}
	if r := apiCommandWith(t, whatsappChange(`"messages":[{"from":"1","id":"wamid.line","timestamp":"1","type":"audio"}]`)+"\n", env, "send", "-url", p.URL, "-as", "whatsapp"); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	if m := detail(t, p, "wamid.line"); m.Source != "whatsapp" {
		t.Errorf("%+v", m)
	}
	if r := apiCommandWith(t, "", env, "send", "-as", "telegram", "x"); r.Code != 2 || !strings.Contains(r.Stderr, "plain, whatsapp, twilio or standard") {
		t.Errorf("%+v", r)
	}
}
