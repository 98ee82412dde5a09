package system

import (
	"slices"
	"strings"
	"testing"

	"sluice/pkg/message"
	"sluice/test/load"
)

func TestWebhook_validation(t *testing.T) {
	t.Parallel()
	p := start(t)
	with := func(change func(*message.Message)) string {
		m := hello("valid but for one thing")
		change(&m)
		return string(load.Body(m))
	}
	text := func(s string) func(*message.Message) { return func(m *message.Message) { m.Text = &s } }
	ts := func(s string) func(*message.Message) { return func(m *message.Message) { m.TS = s } }
	from := func(s string) func(*message.Message) { return func(m *message.Message) { m.From = s } }
	id := func(s string) func(*message.Message) { return func(m *message.Message) { m.ID = s } }
	const valid = `"message_id":"x","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"`
	all := []string{"message_id", "from", "to", "ts"}

	tests := []struct {
		name, body string
		fields     []string
	}{
		{"no body", "", nil},
		{"not JSON", "hello", nil},
		{"cut off", `{` + valid, nil},
		{"a list", `[{` + valid + `}]`, nil},
		{"a string", `"x"`, nil},
		{"null", `null`, nil},
		{"something behind", `{` + valid + `} {}`, nil},
		{"a comma too many", `{` + valid + `,}`, nil},
		{"a comment", `{` + valid + `/**/}`, nil},
		{"a byte order mark", "\ufeff{" + valid + `}`, nil},
		{"nesting without end", `{` + valid + `,"x":` + strings.Repeat("[", 100_000), nil},

		{"nothing in it", `{}`, all},
		{"every field null", `{"message_id":null,"from":null,"to":null,"ts":null}`, all},
		{"every field a number", `{"message_id":1,"from":1,"to":1,"ts":1,"text":1}`, append(all, "text")},
		{"wrong case", `{"Message_ID":"x","From":"+1","TO":"+2","Ts":"2025-01-15T10:00:00Z"}`, all},
		{"repeated id", `{` + valid + `,"message_id":"x"}`, []string{"message_id"}},
		{"repeated text", `{` + valid + `,"text":"a","text":"a"}`, []string{"text"}},
		{"repeated other member", `{` + valid + `,"x":1,"x":1}`, nil},
		{"repeated by another spelling", `{` + valid + `,"\u0066rom":"+1"}`, []string{"from"}},
		{"lone surrogate in the id", `{` + strings.Replace(valid, `"x"`, `"\ud800"`, 1) + `}`, []string{"message_id"}},
		{"lone surrogate in the text", `{` + valid + `,"text":"\udc00"}`, []string{"text"}},
		{"invalid UTF-8 in the text", `{` + valid + ",\"text\":\"\xff\"}", []string{"text"}},
		{"invalid UTF-8 in the id", `{` + strings.Replace(valid, `"x"`, "\"\xc0\xaf\"", 1) + `}`, []string{"message_id"}},
		{"a list as text", `{` + valid + `,"text":["a"]}`, []string{"text"}},

		{"empty id", with(id("")), []string{"message_id"}},
		{"id of 1025 bytes", with(id(strings.Repeat("x", 1025))), []string{"message_id"}},
		{"id of 513 two-byte characters", with(id(strings.Repeat("é", 513))), []string{"message_id"}},
		{"no plus", with(from("919876543210")), []string{"from"}},
		{"only a plus", with(from("+")), []string{"from"}},
		{"16 digits", with(from("+1234567890123456")), []string{"from"}},
		{"letters", with(from("+1415CALLME")), []string{"from"}},
		{"a blank", with(from("+1 415")), []string{"from"}},
		{"a line end", with(from("+1415\n")), []string{"from"}},
		{"other digits", with(from("+٤٤٧")), []string{"from"}},
		{"no time", with(ts("2025-01-15")), []string{"ts"}},
		{"no zone", with(ts("2025-01-15T10:00:00")), []string{"ts"}},
		{"an offset", with(ts("2025-01-15T10:00:00+00:00")), []string{"ts"}},
		{"small letters", with(ts("2025-01-15t10:00:00z")), []string{"ts"}},
		{"no such day", with(ts("2025-02-29T10:00:00Z")), []string{"ts"}},
		{"no such hour", with(ts("2025-01-15T24:00:00Z")), []string{"ts"}},
		{"ten fraction digits", with(ts("2025-01-15T10:00:00.1234567890Z")), []string{"ts"}},
		{"no fraction digits", with(ts("2025-01-15T10:00:00.Z")), []string{"ts"}},
		{"a comma", with(ts("2025-01-15T10:00:00,5Z")), []string{"ts"}},
		{"text of 4097 characters", with(text(strings.Repeat("é", 4097))), []string{"text"}},
		{"several", `{"message_id":"","from":"1","to":"+2","ts":"now","text":5}`, []string{"message_id", "from", "ts", "text"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fields := brokenFields(t, p.PostBody([]byte(test.body)), "body")
			slices.Sort(fields)
			slices.Sort(test.fields)
			if !slices.Equal(fields, test.fields) {
				t.Errorf("it lists %q, want %q", fields, test.fields)
			}
		})
	}
	if page := p.Messages(); page.Total != 0 {
		t.Errorf("%d messages came in: %+v", page.Total, page.Data)
	}
}

func TestWebhook_validAtTheEdges(t *testing.T) {
	t.Parallel()
	p := start(t)
	long := strings.Repeat("🎉", 4096)
	blank := ""
	tests := []message.Message{
		{ID: strings.Repeat("x", 1024), From: "+1", To: "+123456789012345", TS: "2024-02-29T23:59:59.999999999Z", Text: &long},
		{ID: "y", From: "+0", To: "+1", TS: "0001-01-01T00:00:00Z", Text: &blank},
		{ID: "z", From: "+1", To: "+1", TS: "9999-12-31T23:59:59.9Z"},
	}
	p.Post(tests...)
	for _, m := range tests {
		row, ok := p.Message(m.ID)
		got := messageOf(row)
		if !ok || !m.SameContent(&got) {
			t.Errorf("%q came back as %+v", m.ID, got)
		}
	}
	other := []byte("\t{ \"extra\": {\"deep\": [1, {\"a\": null}]}, \"text\": \"a\\u0000\\n\\ud83c\\udf89\", \"message_id\": \"\\u0077\"," +
		`"from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"` + "}\r\n")
	if res := p.PostBody(other); res.Status != 200 {
		t.Errorf("other members, blanks and escapes: %d %s", res.Status, res.Body)
	}
	if row, ok := p.Message("w"); !ok || row.Text == nil || *row.Text != "a\x00\n🎉" {
		t.Errorf("it came back as %+v", row)
	}
}
