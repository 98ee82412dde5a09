package httpapi_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/httpapi"
	"sluice/internal/ingest"
	"sluice/internal/source"
	"sluice/pkg/contract"
	"sluice/pkg/signature"
)

const twilioURL = "https://example.org/webhook/twilio"

// startSenders serves every source.
func startSenders(t *testing.T, change ...func(*httpapi.Config)) *api {
	standard, err := source.NewStandard(source.Secrets{Current: "whsec_c2VjcmV0"})
	if err != nil {
		t.Fatal(err)
	}
	sources := []source.Source{
		source.NewPlain(source.Secrets{Current: secret}),
		source.NewWhatsApp(source.Secrets{Current: secret, VerifyToken: "token"}),
		source.NewTwilio([]string{twilioURL}, source.Secrets{Current: secret}),
		standard,
	}
	p := &pipe{seqs: map[string]uint64{}}
	a := start(t, append(change, func(cfg *httpapi.Config) {
		cfg.Sources, cfg.Metrics = sources, metrics.NewSet()
		cfg.Acceptor = ingest.New(ingest.Config{Publisher: p, Sources: sources, Metrics: cfg.Metrics, Now: time.Now})
	})...)
	a.pipe = p
	return a
}

func TestHandshake(t *testing.T) {
	a := startSenders(t)
	got := a.get("/webhook/whatsapp?hub.mode=subscribe&hub.verify_token=token&hub.challenge=%3Cb%3E1158")
	if got.status != 200 || got.body != "<b>1158" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") ||
		got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%+v", got)
	}
	for _, query := range []string{"", "?hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1", "?hub.verify_token=token&hub.challenge=1"} {
		if got := a.get("/webhook/whatsapp" + query); got.status != 403 || !strings.Contains(got.body, `"detail"`) {
			t.Errorf("%s: %+v", query, got)
		}
	}
	for _, path := range []string{"/webhook/twilio", "/webhook/standard", "/webhook"} {
		if got := a.get(path + "?hub.mode=subscribe&hub.verify_token=token"); got.status != 405 {
			t.Errorf("GET %s: %+v", path, got)
		}
	}
	eventually(t, func() bool { return len(a.log.requests(t)) == 7 }, a.log.String)
	if strings.Contains(a.log.String(), "verify_token=") {
		t.Errorf("the log has the token:\n%s", a.log)
	}
}

func TestWebhook_aDeliveryOfManyMessages(t *testing.T) {
	a := startSenders(t)
	body := `{"entry":[{"changes":[{"value":{"metadata":{"display_phone_number":"1"},"messages":[` +
		`{"from":"1","id":"wamid.1","timestamp":"1"},{"from":"1","id":"wamid.2","timestamp":"1"}],"statuses":[{"id":"wamid.1","status":"read","timestamp":"1"}]}}]}]}`
	sign := []string{signature.HubSHA256Header, signature.NewHubSHA256(secret).Sign([]byte(body))}
	for _, dup := range []string{`"dup":false,"result":"created","entries":3,"duplicates":0`, `"dup":true,"result":"duplicate","entries":3,"duplicates":3`} {
		got := a.do("POST", "/webhook/whatsapp", body, sign...)
		if got.status != 200 || got.body != `{"status":"ok"}` || got.header.Get(contract.HeaderStreamSequence) != "3" {
			t.Errorf("%+v", got)
		}
		want := `"message_id":"wamid.1",` + dup
		eventually(t, func() bool { return strings.Contains(a.log.String(), want) }, a.log.String)
	}
	if got := a.do("POST", "/webhook/whatsapp", body); got.status != 401 {
		t.Errorf("not signed: %+v", got)
	}
	for _, strange := range []string{"", "garbage", "[]"} {
		sign[1] = signature.NewHubSHA256(secret).Sign([]byte(strange))
		if got := a.do("POST", "/webhook/whatsapp", strange, sign...); got.status != 200 {
			t.Errorf("%q: %+v", strange, got)
		}
	}
}

func TestWebhook_twilioHearsItsOwnLanguage(t *testing.T) {
	a := startSenders(t)
	form := url.Values{"MessageSid": {"SM1"}, "From": {"whatsapp:+1"}, "To": {"+2"}, "Body": {"x"}}.Encode()
	scheme := signature.NewTwilio([]string{twilioURL}, secret)
	post := func(query, body string) answer {
		return a.do("POST", "/webhook/twilio"+query, body, signature.TwilioHeader, scheme.Sign(query, []byte(body)), "Content-Type", "application/x-www-form-urlencoded")
	}
	got := post("?a=%2F", form)
	if got.status != 200 || !strings.HasSuffix(got.body, "<Response/>") || !strings.HasPrefix(got.header.Get("Content-Type"), "text/xml") {
		t.Errorf("%+v", got)
	}
	if e := a.entries[0]; e.MsgID != "%twilio:SM1" || e.Source != "twilio" {
		t.Errorf("published %+v", e)
	}
	if got := a.do("POST", "/webhook/twilio", form, signature.TwilioHeader, scheme.Sign("?a=%2F", []byte(form))); got.status != 401 {
		t.Errorf("of another URL: %+v", got)
	}
	if got := post("", "CallSid=CA1"); got.status != 422 || !strings.Contains(got.body, `["body","MessageSid"]`) {
		t.Errorf("a call: %+v", got)
	}
}

func TestWebhook_standardRefusesWhatIsStale(t *testing.T) {
	a := startSenders(t)
	scheme, err := signature.NewStandard("whsec_c2VjcmV0")
	if err != nil {
		t.Fatal(err)
	}
	body := `{"message_id":"m1","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"}`
	for _, c := range []struct {
		at   time.Time
		want int
	}{{time.Now(), 200}, {time.Now().Add(-time.Hour), 401}, {time.Now().Add(time.Hour), 401}} {
		got := a.do("POST", "/webhook/standard", body, signature.StandardIDHeader, "msg_1",
			signature.StandardTimestampHeader, strconv.FormatInt(c.at.Unix(), 10), signature.StandardSignatureHeader, scheme.Sign("msg_1", c.at, []byte(body)))
		if got.status != c.want {
			t.Errorf("at %v: %+v", c.at, got)
		}
	}
	if e := a.entries[0]; e.MsgID != "%standard:m1" {
		t.Errorf("published %+v", e)
	}
}

func TestWebhook_limitsOfASource(t *testing.T) {
	p, set := &pipe{seqs: map[string]uint64{}}, metrics.NewSet()
	sources := []source.Source{source.NewPlain(source.Secrets{Current: secret})}
	a := start(t, func(cfg *httpapi.Config) {
		cfg.Sources, cfg.Metrics, cfg.BodyLimits = sources, set, map[string]int64{"plain": 150, "whatsapp": 1}
		cfg.Acceptor = ingest.New(ingest.Config{Publisher: p, Sources: sources, Rates: map[string]float64{"plain": 1.0 / 3600}, Metrics: cfg.Metrics, Now: time.Now})
	})
	a.metrics = set
	long := delivery(strings.Repeat("x", 100))
	if got := a.postSigned(long); got.status != 413 {
		t.Errorf("too long: %+v", got)
	}
	c, r := a.send("POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(long)), 16) + "\r\n" + long + "\r\n0\r\n\r\n")
	defer c.Close()
	if got := next(t, r); got.status != 413 {
		t.Errorf("too long, in chunks: %+v", got)
	}
	if got := a.postSigned(delivery("m1")); got.status != 200 {
		t.Errorf("%+v", got)
	}
	got := a.postSigned(delivery("m2"))
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || err != nil || seconds < 3000 || seconds > 3600 || !strings.Contains(got.body, "too many") {
		t.Errorf("%+v", got)
	}
	if got := a.post(delivery("m3")); got.status != 401 {
		t.Errorf("a stranger: %+v", got)
	}
	a.counts(`webhook_requests_total{source="plain",result="too_large"} 2`, `webhook_requests_total{source="plain",result="rate_limited"} 1`)
}
