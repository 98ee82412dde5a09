package source_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/internal/source"
	"sluice/pkg/message"
)

var (
	twilio     = source.NewTwilio([]string{"https://example.org/webhook/twilio"}, source.Secrets{Current: "token"})
	twilioTime = time.Date(2025, 1, 15, 11, 0, 0, 5_600_000, time.FixedZone("", 3600))
)

// readTwilio reads a form, or JSON when body begins like it.
func readTwilio(body string) (source.Content, error) {
	d := source.Delivery{Target: "/webhook/twilio", Body: []byte(body), At: twilioTime}
	if strings.HasPrefix(body, "{") {
		sum := sha256.Sum256(d.Body)
		d.Target += "?bodySHA256=" + hex.EncodeToString(sum[:])
	}
	return twilio.Read(d)
}

func TestTwilio_messages(t *testing.T) {
	for name, c := range map[string]struct{ body, want, raw string }{
		"SMS": {"MessageSid=SM1&SmsSid=SM1&AccountSid=AC1&From=%2B14155550100&To=%2B4930123456&Body=Hi+%F0%9F%91%8B&SmsStatus=received&NumMedia=0",
			`SM1 +14155550100 +4930123456 2025-01-15T10:00:00.005Z "Hi 👋"`,
			`{"MessageSid":"SM1","SmsSid":"SM1","AccountSid":"AC1","From":"+14155550100","To":"+4930123456","Body":"Hi 👋","SmsStatus":"received","NumMedia":"0"}`},
		"WhatsApp": {"MessageSid=SM2&From=whatsapp%3A%2B14155550100&To=whatsapp%3A%2B4930123456&Body=x&ProfileName=Ada&WaId=14155550100",
			`SM2 +14155550100 +4930123456 2025-01-15T10:00:00.005Z "x"`,
			`{"MessageSid":"SM2","From":"whatsapp:+14155550100","To":"whatsapp:+4930123456","Body":"x","ProfileName":"Ada","WaId":"14155550100"}`},
		"picture": {"MessageSid=MM3&From=%2B1&To=12345&Body=&NumMedia=1&MediaUrl0=https%3A%2F%2Fx%2F1&MediaUrl0=again",
			`MM3 +1 +12345 2025-01-15T10:00:00.005Z none`,
			`{"MessageSid":"MM3","From":"+1","To":"12345","Body":"","NumMedia":"1","MediaUrl0":["https://x/1","again"]}`},
		"told that it came in": {"MessageSid=SM7&MessageStatus=received&From=%2B1&To=%2B2&Body=x", `SM7 +1 +2 2025-01-15T10:00:00.005Z "x"`,
			`{"MessageSid":"SM7","MessageStatus":"received","From":"+1","To":"+2","Body":"x"}`},
		"older name of the id": {"SmsSid=SM4&From=%2B1&To=%2B2&Body=x", `SM4 +1 +2 2025-01-15T10:00:00.005Z "x"`, `{"SmsSid":"SM4","From":"+1","To":"+2","Body":"x"}`},
		"broken bytes":         {"MessageSid=SM5&From=%2B1&To=%2B2&Body=a%FFb", "SM5 +1 +2 2025-01-15T10:00:00.005Z \"a\uFFFDb\"", "{\"MessageSid\":\"SM5\",\"From\":\"+1\",\"To\":\"+2\",\"Body\":\"a\uFFFDb\"}"},
		"JSON": {`{"MessageSid":"SM6","From":"+1","To":"+2","Body":"x","more":{"a":[1]}}`,
			`SM6 +1 +2 2025-01-15T10:00:00.005Z "x"`, `{"MessageSid":"SM6","From":"+1","To":"+2","Body":"x","more":{"a":[1]}}`},
	} {
		got, err := readTwilio(c.body)
		if err != nil || len(got.Messages) != 1 || len(got.Statuses)+len(got.Unknown) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		m := got.Messages[0]
		if show(m) != c.want || !sameJSON(t, m.Raw, []byte(c.raw)) {
			t.Errorf("%s:\n got %s %s\nwant %s %s", name, show(m), m.Raw, c.want, c.raw)
		}
	}
}

func TestTwilio_whatIsNoMessage(t *testing.T) {
	for name, body := range map[string]string{
		"a status":            "MessageSid=SM1&MessageStatus=delivered&SmsStatus=delivered&To=whatsapp%3A%2B4930123456&From=%2B1",
		"its older parameter": "SmsSid=SM1&SmsStatus=delivered&To=%2B4930123456&From=%2B1",
	} {
		got, err := readTwilio(body)
		want := message.Status{MessageID: "SM1", Status: "delivered", Recipient: "+4930123456"}
		if err != nil || len(got.Statuses) != 1 || !got.Statuses[0].SameEvent(&want) || len(got.Messages)+len(got.Unknown) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, body := range map[string]string{
		"a sender without a number": "MessageSid=SM1&From=messenger%3A12&To=%2B1&Body=x",
		"a status too long":         "MessageSid=SM1&To=%2B1&MessageStatus=" + strings.Repeat("x", 300),
	} {
		got, err := readTwilio(body)
		if err != nil || len(got.Unknown) != 1 || len(got.Messages)+len(got.Statuses) != 0 || !strings.Contains(string(got.Unknown[0].Raw), "SM1") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for body, want := range map[string]string{
		"CallSid=CA1&From=%2B1&To=%2B2": "MessageSid:missing", "": "MessageSid:missing", `{"a":1}`: "MessageSid:missing",
		`{"MessageSid":`: "body:json_invalid", `{} {}`: "body:json_invalid",
	} {
		_, err := readTwilio(body)
		var errs message.InvalidErrors
		if !errors.As(err, &errs) || list(errs) != want {
			t.Errorf("%q: %v, want %s", body, err, want)
		}
	}
}

// FuzzTwilio: whatever is signed is read or refused in words, and what is read is
// valid and can go into the stream.
func FuzzTwilio(f *testing.F) {
	f.Add("MessageSid=SM1&From=%2B1&To=%2B2&Body=x%FF")
	f.Add(`{"MessageSid":"SM1","From":"+1","To":"+2","Body":"\ud800"}`)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := url.ParseQuery(body); err != nil && !strings.HasPrefix(body, "{") {
			return // does not verify
		}
		c, err := readTwilio(body)
		var errs message.InvalidErrors
		if err != nil {
			if !errors.As(err, &errs) {
				t.Fatal(err)
			}
			return
		}
		if len(c.Messages)+len(c.Statuses)+len(c.Unknown) != 1 {
			t.Fatalf("%+v", c)
		}
		for i := range c.Messages {
			data, err := message.Marshal(&c.Messages[i])
			if err != nil {
				t.Fatal(err)
			}
			if back, err := message.Unmarshal(data); err != nil || !back.SameContent(&c.Messages[i]) {
				t.Fatalf("%s: %v", data, err)
			}
		}
		for i := range c.Statuses {
			data, err := message.MarshalStatus(&c.Statuses[i])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := message.UnmarshalStatus(data); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
		}
		for i := range c.Unknown {
			if _, err := message.MarshalUnknown(&c.Unknown[i]); err != nil {
				t.Fatal(err)
			}
		}
	})
}
