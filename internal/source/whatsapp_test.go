package source_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/internal/source"
	"sluice/pkg/message"
)

var whatsapp = source.NewWhatsApp(source.Secrets{Current: "app secret", VerifyToken: "token"})

func readWhatsApp(t testing.TB, body string) source.Content {
	t.Helper()
	c, err := whatsapp.Read(source.Delivery{Body: []byte(body)})
	if err != nil {
		t.Fatalf("refused: %v: %s", err, body)
	}
	return c
}

// change is a delivery with one change, whose value has these members beside what
// is in every one.
func change(members string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"77","changes":[{"value":{"messaging_product":"whatsapp",` +
		`"metadata":{"display_phone_number":"1 (555) 010-0199","phone_number_id":"4401"},` + members + `},"field":"messages"}]}]}`
}

func TestWhatsApp_everyKindOfMessage(t *testing.T) {
	data, err := os.ReadFile("testdata/whatsapp_kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []struct {
		Kind string
		Text *string
		Part map[string]any
	}
	if err := json.Unmarshal(data, &kinds); err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		maps.Copy(k.Part, map[string]any{"from": "4930123456", "id": "wamid.HBgLNDkzMDEyMzQ1NgA=", "timestamp": "1736935200"})
		part, _ := json.Marshal(k.Part)
		body := change(`"contacts":[{"profile":{"name":"Eve"},"wa_id":"1"},{"profile":{"name":"Ada"},"wa_id":"4930123456"}],"messages":[` + string(part) + `]`)
		c := readWhatsApp(t, body)
		if len(c.Messages) != 1 || len(c.Statuses)+len(c.Unknown) != 0 {
			t.Errorf("%s: %+v", k.Kind, c)
			continue
		}
		want := message.Message{ID: "wamid.HBgLNDkzMDEyMzQ1NgA=", From: "+4930123456", To: "+15550100199", TS: "2025-01-15T10:00:00Z", Text: k.Text}
		if !c.Messages[0].SameContent(&want) {
			t.Errorf("%s:\n got %+v\nwant %+v", k.Kind, show(c.Messages[0]), show(want))
		}
		wantRaw := change(`"messages":[` + string(part) + `],"contacts":[{"profile":{"name":"Eve"},"wa_id":"1"},{"profile":{"name":"Ada"},"wa_id":"4930123456"}]`)
		if !sameJSON(t, c.Messages[0].Raw, []byte(wantRaw)) {
			t.Errorf("%s: what is kept:\n got %s\nwant %s", k.Kind, c.Messages[0].Raw, wantRaw)
		}
	}
}

func show(m message.Message) string {
	text := "none"
	if m.Text != nil {
		text = fmt.Sprintf("%q", *m.Text)
	}
	return fmt.Sprint(m.ID, " ", m.From, " ", m.To, " ", m.TS, " ", text)
}

func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	var one, other any
	if err := json.Unmarshal(a, &one); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
	if err := json.Unmarshal(b, &other); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return reflect.DeepEqual(one, other)
}

func TestWhatsApp_statuses(t *testing.T) {
	for status, more := range map[string]string{
		"sent":      `,"conversation":{"id":"c1","expiration_timestamp":"1737021600","origin":{"type":"service"}},"pricing":{"billable":true,"category":"service"}`,
		"delivered": ``,
		"read":      ``,
		"failed":    `,"errors":[{"code":131026,"title":"Message undeliverable"}]`,
		"future":    `,"x":{"y":[1]}`,
	} {
		part := fmt.Sprintf(`{"id":"wamid.OUT","status":%q,"timestamp":"1736935200","recipient_id":"4930123456"%s}`, status, more)
		body := change(`"statuses":[` + part + `]`)
		c := readWhatsApp(t, body)
		if len(c.Statuses) != 1 || len(c.Messages)+len(c.Unknown) != 0 {
			t.Errorf("%s: %+v", status, c)
			continue
		}
		got := c.Statuses[0]
		want := message.Status{MessageID: "wamid.OUT", Status: status, TS: "2025-01-15T10:00:00Z", Recipient: "+4930123456"}
		if !got.SameEvent(&want) || !sameJSON(t, got.Raw, []byte(body)) {
			t.Errorf("%s: %+v %s", status, got, got.Raw)
		}
	}
}

// In a group each participant has a status of its own, in the same second as
// another's; who hides the number has an id.
func TestWhatsApp_aStatusIsAboutOnePerson(t *testing.T) {
	var parts, contacts []string
	for _, who := range []string{
		`"recipient_id":"Y2FwaV9n","recipient_type":"group","recipient_participant_id":"4930123456"`,
		`"recipient_id":"Y2FwaV9n","recipient_type":"group","recipient_participant_id":"4930123457"`,
		`"recipient_id":"Y2FwaV9n","recipient_type":"group","recipient_participant_user_id":"DE.134"`,
		`"recipient_user_id":"DE.135"`,
		`"recipient_id":"4930123458","recipient_user_id":"DE.136"`,
		`"recipient_id":"Y2FwaV9n","recipient_type":"group"`,
	} {
		parts = append(parts, `{"id":"wamid.OUT","status":"read","timestamp":"1736935200",`+who+`}`)
	}
	for _, id := range []string{"DE.136", "DE.135", "DE.134"} {
		contacts = append(contacts, `{"profile":{"username":"@x"},"user_id":"`+id+`"}`)
	}
	c := readWhatsApp(t, change(`"contacts":[`+strings.Join(contacts, ",")+`],"statuses":[`+strings.Join(parts, ",")+`]`))
	want := []string{"+4930123456", "+4930123457", "DE.134", "DE.135", "+4930123458", "Y2FwaV9n"}
	if len(c.Statuses) != len(want) || len(c.Messages)+len(c.Unknown) != 0 {
		t.Fatalf("%+v", c)
	}
	events := map[string]bool{}
	for i, s := range c.Statuses {
		if s.Recipient != want[i] || events[s.MsgID("whatsapp")] {
			t.Errorf("%d: of %q, want %q", i, s.Recipient, want[i])
		}
		events[s.MsgID("whatsapp")] = true
	}
	for i, want := range map[int]int{2: 2, 3: 1, 4: 0} {
		if !strings.Contains(string(c.Statuses[i].Raw), `"contacts":[`+contacts[want]+`]`) {
			t.Errorf("%s\nhas not its contact", c.Statuses[i].Raw)
		}
	}
	rereadsAlone(t, c)
}

// Meta gathers what it has to say: several entries, changes and parts at once.
func TestWhatsApp_everyPartOfADelivery(t *testing.T) {
	msg := func(id string) string {
		return `{"from":"+49 30 123456","id":"` + id + `","timestamp":1736935200,"type":"text","text":{"body":"x"}}`
	}
	value := func(members string) string {
		return `{"field":"messages","value":{"metadata":{"display_phone_number":"15550100199"},` + members + `}}`
	}
	body := `{"entry":[` +
		`{"id":"1","changes":[` + value(`"messages":[`+msg("a")+`,`+msg("b")+`]`) + `,` + value(`"statuses":[{"id":"a","status":"read","timestamp":"1736935200","recipient_id":"GROUP:1"}],"messages":[`+msg("c")+`]`) + `]},` +
		`{"changes":[` + value(`"message_echoes":[{"to":"4930123456","from":"15550100199","id":"e","timestamp":"1736935200","type":"text","text":{"body":"x"}}]`) + `],"id":"2","time":5}` +
		`],"object":"whatsapp_business_account"}`
	c := readWhatsApp(t, body)
	var got []string
	for _, m := range c.Messages {
		got = append(got, m.ID+m.From+m.To)
	}
	if want := "[a+4930123456+15550100199 b+4930123456+15550100199 c+4930123456+15550100199 e+15550100199+4930123456]"; fmt.Sprint(got) != want {
		t.Errorf("messages %v", got)
	}
	if len(c.Statuses) != 1 || c.Statuses[0].Recipient != "GROUP:1" || len(c.Unknown) != 0 {
		t.Errorf("%+v", c)
	}
	rereadsAlone(t, c)
}

// rereadsAlone checks that what is kept of each part is a delivery of that part.
func rereadsAlone(t *testing.T, c source.Content) {
	t.Helper()
	for _, m := range c.Messages {
		if again := readWhatsApp(t, string(m.Raw)); len(again.Messages) != 1 || len(again.Statuses)+len(again.Unknown) != 0 || !again.Messages[0].SameContent(&m) {
			t.Errorf("%s\nreads as %+v", m.Raw, again)
		}
	}
	for _, s := range c.Statuses {
		if again := readWhatsApp(t, string(s.Raw)); len(again.Statuses) != 1 || len(again.Messages)+len(again.Unknown) != 0 || !again.Statuses[0].SameEvent(&s) {
			t.Errorf("%s\nreads as %+v", s.Raw, again)
		}
	}
}

func TestWhatsApp_keepsWhatItCannotRead(t *testing.T) {
	good := `{"from":"1","id":"good","timestamp":"0","type":"text","text":{"body":"x"}}`
	for name, c := range map[string]struct{ body, kept, why string }{
		"not JSON":                  {`{"entry":[`, `"{\"entry\":["`, "not JSON"},
		"nothing":                   {``, `""`, "not JSON"},
		"two objects":               {`{}{}`, `"{}{}"`, "not JSON"},
		"bytes":                     {"\xff\x00", `{"base64":"/wA="}`, "not JSON"},
		"longer as a string":        {strings.Repeat("\x01", 9), `{"base64":"AQEBAQEBAQEB"}`, "not JSON"},
		"an array":                  {`[1]`, `[1]`, "no entry"},
		"no entries":                {`{"object":"x"}`, `{"object":"x"}`, "no entry"},
		"entries of another kind":   {`{"entry":{"a":1}}`, `{"entry":{"a":1}}`, "no entry"},
		"an entry that is none":     {`{"entry":[5]}`, `{"entry":[5]}`, "without changes"},
		"an empty entry":            {`{"entry":[{"id":"1"}]}`, `{"entry":[{"id":"1"}]}`, "without changes"},
		"a change that is none":     {`{"entry":[{"changes":[null]}]}`, `{"entry":[{"changes":[null]}]}`, "neither messages nor statuses"},
		"a value that is none":      {`{"entry":[{"changes":[{"value":[]}]}]}`, `{"entry":[{"changes":[{"value":[]}]}]}`, "neither messages nor statuses"},
		"another field":             {`{"entry":[{"id":"1","changes":[{"field":"account_update","value":{"event":"BAN"}}]}]}`, `{"entry":[{"id":"1","changes":[{"field":"account_update","value":{"event":"BAN"}}]}]}`, "neither messages nor statuses"},
		"a message that is none":    {change(`"messages":["x"]`), change(`"messages":["x"]`), "message_id must not be empty"},
		"a status that is none":     {change(`"statuses":[{"id":"a"}]`), change(`"statuses":[{"id":"a"}]`), "status must not be empty"},
		"a sender with a username":  {change(`"contacts":[{"user_id":"US.1"}],"messages":[{"id":"a","from_user_id":"US.1","timestamp":"0"}]`), change(`"messages":[{"id":"a","from_user_id":"US.1","timestamp":"0"}],"contacts":[{"user_id":"US.1"}]`), "from must be"},
		"a sender without a number": {change(`"messages":[{"id":"a","from":"US.1234","timestamp":"0"}]`), change(`"messages":[{"id":"a","from":"US.1234","timestamp":"0"}]`), "from must be"},
		"one beside a good one":     {change(`"messages":[` + good + `,{"id":"b"}]`), change(`"messages":[{"id":"b"}]`), "from must be"},
		"a time without end":        {change(`"messages":[{"id":"a","from":"1","timestamp":"99999999999999"}]`), change(`"messages":[{"id":"a","from":"1","timestamp":"99999999999999"}]`), "ts must be"},
	} {
		got := readWhatsApp(t, c.body)
		if len(got.Unknown) != 1 || !strings.Contains(got.Unknown[0].Reason, c.why) || !sameJSON(t, got.Unknown[0].Raw, []byte(c.kept)) {
			t.Errorf("%s: %+v", name, got.Unknown)
			for _, u := range got.Unknown {
				t.Logf("%s", u.Raw)
			}
		}
		if want := strings.Count(c.body, `"good"`); len(got.Messages) != want {
			t.Errorf("%s: %d messages", name, len(got.Messages))
		}
	}
}

func TestWhatsApp_contactsGoWithTheirMessages(t *testing.T) {
	ada, eve, bob := `{"profile":{"name":"Ada"},"wa_id":"1"}`, `{"profile":{"name":"Eve"},"wa_id":"2"}`, `{"user_id":"DE.5"}`
	part := `{"from":"%s","id":"%s","timestamp":"0","type":"audio"}`
	c := readWhatsApp(t, change(`"contacts":[`+ada+`,`+eve+`,`+bob+`],"messages":[`+fmt.Sprintf(part, "1", "a")+`,`+fmt.Sprintf(part, "1", "b")+
		`],"statuses":[{"id":"x","status":"read","recipient_id":"2","timestamp":"0"}]`))
	if len(c.Messages) != 2 || len(c.Statuses) != 1 {
		t.Fatalf("%+v", c)
	}
	for i, want := range map[int]string{0: ada + "," + bob, 1: ada} {
		if !strings.Contains(string(c.Messages[i].Raw), `"contacts":[`+want+`]`) {
			t.Errorf("%s\nhas not the contacts %s", c.Messages[i].Raw, want)
		}
	}
	if !strings.Contains(string(c.Statuses[0].Raw), `"contacts":[`+eve+`]`) {
		t.Errorf("%s", c.Statuses[0].Raw)
	}
}

func TestWhatsApp_moreThanAnybodySendsStaysInOnePiece(t *testing.T) {
	for name, body := range map[string]string{
		"messages": change(`"messages":[` + strings.Repeat("1,", 30_000) + `1]`),
		"changes":  `{"entry":[{"changes":[` + strings.Repeat("1,", 30_000) + `1]}]}`,
		"entries":  `{"entry":[` + strings.Repeat("1,", 30_000) + `1]}`,
	} {
		if c := readWhatsApp(t, body); len(c.Unknown) != 1 || !sameJSON(t, c.Unknown[0].Raw, []byte(body)) {
			t.Errorf("%s: %d unknown", name, len(c.Unknown))
		}
	}
	large := `"x":"` + strings.Repeat("x", 5000) + `",`
	for name, body := range map[string]string{
		"around the entries": `{` + large + `"entry":[{},{},{}]}`, "around the changes": `{"entry":[{` + large + `"changes":[1,2,3]}]}`,
	} {
		c := readWhatsApp(t, body)
		if len(c.Unknown) != 4 || len(c.Unknown[0].Raw) < 5000 || len(c.Unknown[3].Raw) > 100 {
			t.Errorf("%s: %d unknown", name, len(c.Unknown))
		}
	}
}

func TestWhatsApp_whatIsLargeIsNotKeptWithEveryMessage(t *testing.T) {
	large := `"more":"` + strings.Repeat("x", 20<<10) + `"`
	msg := `{"from":"1","id":"%d","timestamp":"0","type":"text","text":{"body":"x"}}`
	c := readWhatsApp(t, change(large+`,"messages":[`+fmt.Sprintf(msg, 1)+`,`+fmt.Sprintf(msg, 2)+`]`))
	if len(c.Messages) != 2 || len(c.Messages[0].Raw) > 1000 || len(c.Unknown) != 1 || len(c.Unknown[0].Raw) < 20<<10 {
		t.Errorf("%d messages, %d unknown", len(c.Messages), len(c.Unknown))
	}
	rereadsAlone(t, c)
	long := readWhatsApp(t, change(`"messages":[`+strings.Replace(fmt.Sprintf(msg, 1), `"x"`, `"`+strings.Repeat("é", 5000)+`"`, 1)+`]`))
	if len(long.Messages) != 1 || utf8.RuneCountInString(*long.Messages[0].Text) != message.MaxTextCharacters {
		t.Errorf("%d long messages", len(long.Messages))
	}
}

func TestWhatsApp_handshake(t *testing.T) {
	with := func(mode, token, challenge string) func(string) string {
		return func(name string) string {
			return map[string]string{"hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge}[name]
		}
	}
	if got, ok := whatsapp.Handshake(with("subscribe", "token", "11<58")); !ok || got != "11<58" {
		t.Errorf("%q, %v", got, ok)
	}
	for _, q := range [][2]string{{"subscribe", "tokem"}, {"subscribe", ""}, {"", "token"}, {"unsubscribe", "token"}, {"subscribe", "token "}} {
		if got, ok := whatsapp.Handshake(with(q[0], q[1], "1")); ok || got != "" {
			t.Errorf("%q: %q, %v", q, got, ok)
		}
	}
	if _, ok := source.NewWhatsApp(source.Secrets{}).Handshake(with("subscribe", "", "1")); ok {
		t.Error("no token is as good as an empty one")
	}
	if err := whatsapp.Rotate(source.Secrets{Current: "app secret", VerifyToken: "token"}); err != nil {
		t.Error(err)
	}
}

// FuzzWhatsApp: whatever Meta signs is read, every part of it is valid and can go
// into the stream, what is kept of a part reads as that part, and nothing is lost:
// each message of a sound delivery is there.
func FuzzWhatsApp(f *testing.F) {
	f.Add([]byte(change(`"messages":[{"from":"1","id":"a","timestamp":"0","type":"text","text":{"body":"x"}}]`)))
	f.Add([]byte(change(`"statuses":[{"id":"a","status":"read","timestamp":"1"}],"contacts":[{"wa_id":"1"}]`)))
	f.Add([]byte(`{"entry":[{"changes":[{"value":{"messages":[{}]},"value":{"messages":[1]}}],"changes":3}]}`))
	f.Add([]byte("{\"entry\":[{\"\xff\":\"\\ud800\"}]}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		kept := bytes.Clone(body)
		c := readWhatsApp(t, string(body))
		if !bytes.Equal(body, kept) {
			t.Fatal("the body was changed")
		}
		if len(c.Messages)+len(c.Statuses)+len(c.Unknown) == 0 {
			t.Fatalf("%q: nothing is left of it", body)
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
			if back, err := message.UnmarshalStatus(data); err != nil || !back.SameEvent(&c.Statuses[i]) {
				t.Fatalf("%s: %v", data, err)
			}
		}
		for i := range c.Unknown {
			if data, err := message.MarshalUnknown(&c.Unknown[i]); err != nil || !utf8.Valid(data) || len(data) > 1000+2*len(body)*max(1, len(c.Unknown)) {
				t.Fatalf("%d bytes of %d, %v", len(data), len(body), err)
			}
		}
		rereadsAlone(t, c)
	})
}

func BenchmarkWhatsApp(b *testing.B) {
	body := []byte(thousand(rand.New(rand.NewPCG(1, 2))))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if c, _ := whatsapp.Read(source.Delivery{Body: body}); len(c.Messages) != 1000 {
			b.Fatal(len(c.Messages))
		}
	}
}

// thousand is a delivery of as many messages as there can be.
func thousand(r *rand.Rand) string {
	var all []string
	for i := range 1000 {
		all = append(all, fmt.Sprintf(`{"from":"49301234%03d","id":"wamid.HBgL%020d","timestamp":"1736935200","type":"text","text":{"body":"Hello %d"}}`, i%500, r.Uint64(), i))
	}
	return change(`"messages":[` + strings.Join(all, ",") + `]`)
}
