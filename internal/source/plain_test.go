package source_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/internal/source"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

const valid = `{"message_id":"m1","from":"+919876543210","to":"+14155550100","ts":"2025-01-15T10:00:00Z","text":"Hello"}`

var plain = source.NewPlain(source.Secrets{Current: "secret"})

func TestPlain_readsAMessage(t *testing.T) {
	hello, escaped := "Hello", "a\"\\/\b\f\n\r\t\u00e9\U0001F600\x00"
	base := message.Message{ID: "m1", From: "+919876543210", To: "+14155550100", TS: "2025-01-15T10:00:00Z", Text: &hello}
	without := base
	without.Text = nil
	odd := base
	odd.Text = &escaped
	oddID := base
	oddID.ID = " \r\n<é>\U0001F600"
	for name, c := range map[string]struct {
		body string
		want message.Message
	}{
		"as it is":            {valid, base},
		"blanks around":       {" \r\n\t" + strings.ReplaceAll(valid, ",", " ,\n ") + "\n", base},
		"text null":           {strings.Replace(valid, `"Hello"`, `null`, 1), without},
		"text absent":         {strings.Replace(valid, `,"text":"Hello"`, ``, 1), without},
		"text escaped":        {strings.Replace(valid, `Hello`, `a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000`, 1), odd},
		"id escaped":          {strings.Replace(valid, `"m1"`, `" \r\n\u003cé>😀"`, 1), oddID},
		"name escaped":        {strings.Replace(valid, `"ts"`, `"\u0074s"`, 1), base},
		"other members":       {strings.Replace(valid, `{`, `{"a":1,"b":{"c":[null,true,1e999,"é"]},"":"",`, 1), base},
		"names in other case": {strings.Replace(valid, `{`, `{"Message_ID":1,"FROM":2,"Ts":3,"TEXT":4,`, 1), base},
		"deep other member":   {strings.Replace(valid, `{`, `{"a":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`,`, 1), base},
	} {
		got, err := readPlain([]byte(c.body))
		if err != nil || len(got) != 1 || !got[0].SameContent(&c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestPlain_listsEveryBrokenField(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(valid, old, new, 1) }
	deep := strings.Repeat("[", 20000)
	for name, c := range map[string]struct{ body, want string }{
		"empty":                      {``, "body:json_invalid"},
		"blanks":                     {` `, "body:json_invalid"},
		"garbage":                    {`garbage`, "body:json_invalid"},
		"cut off":                    {valid[:len(valid)-1], "body:json_invalid"},
		"trailing brace":             {valid + "}", "body:json_invalid"},
		"a second object":            {valid + valid, "body:json_invalid"},
		"trailing comma":             {with(`"Hello"`, `"Hello",`), "body:json_invalid"},
		"single quotes":              {strings.ReplaceAll(valid, `"`, `'`), "body:json_invalid"},
		"comment":                    {with(`{`, `{/**/`), "body:json_invalid"},
		"byte order mark":            {"\ufeff" + valid, "body:json_invalid"},
		"control character":          {with(`Hello`, "a\nb"), "body:json_invalid"},
		"bad escape":                 {with(`Hello`, `\x`), "body:json_invalid"},
		"NaN":                        {with(`"Hello"`, `NaN`), "body:json_invalid"},
		"too deep":                   {with(`"Hello"`, deep), "body:json_invalid"},
		"too deep and sound":         {with(`"Hello"`, deep+strings.ReplaceAll(deep, "[", "]")), "body:json_invalid"},
		"too deep objects":           {strings.Repeat(`{"a":`, 20000), "body:json_invalid"},
		"array":                      {`[` + valid + `]`, "body:object_type"},
		"string":                     {`"garbage"`, "body:object_type"},
		"null":                       {`null`, "body:object_type"},
		"number":                     {`5`, "body:object_type"},
		"broken array":               {`[1,`, "body:json_invalid"},
		"no members":                 {`{}`, "message_id:missing from:missing to:missing ts:missing"},
		"nothing right":              {`{"message_id":1,"from":null,"to":[],"ts":{},"text":false}`, "message_id:string_type from:string_type to:string_type ts:string_type text:string_type"},
		"rules":                      {`{"message_id":"","from":"1","to":"+","ts":"now","text":"` + strings.Repeat("é", 4097) + `"}`, "message_id:string_too_short from:string_pattern_mismatch to:string_pattern_mismatch ts:datetime_parsing text:string_too_long"},
		"other case":                 {strings.Replace(valid, `"from"`, `"From"`, 1), "from:missing"},
		"repeated field":             {with(`{`, `{"ts":"2025-01-15T10:00:00Z",`), "ts:repeated_member"},
		"repeated, first null":       {with(`{`, `{"text":null,`), "text:repeated_member"},
		"repeated, first broken":     {with(`{`, `{"from":5,`), "from:repeated_member"},
		"repeated by escape":         {with(`{`, `{"\u0074s":"2025-01-15T10:00:00Z",`), "ts:repeated_member"},
		"two repeated, one broken":   {`{"message_id":"a","message_id":"a","to":"+1","to":"+1","from":"x","ts":"2025-01-15T10:00:00Z"}`, "message_id:repeated_member from:string_pattern_mismatch to:repeated_member"},
		"other repeated":             {with(`{`, `{"a":1,"a":1,`), "body:repeated_member"},
		"other repeated often":       {with(`{`, `{"a":1,"a":1,"a":2,"b":0,"b":{"c":1,"c":1},`), "body:repeated_member"},
		"nested repeated":            {with(`{`, `{"a":[{"b":1,"b":2}],`), "body:repeated_member"},
		"lone surrogate":             {with(`Hello`, `\ud800`), "text:string_unicode"},
		"lone low surrogate":         {with(`m1`, `\udc00`), "message_id:string_unicode"},
		"reversed surrogates":        {with(`Hello`, `\ude00\ud83d`), "text:string_unicode"},
		"invalid UTF-8":              {with(`Hello`, "\xff"), "text:string_unicode"},
		"UTF-8 of a surrogate":       {with(`Hello`, "\xed\xa0\x80"), "text:string_unicode"},
		"overlong UTF-8":             {with(`Hello`, "\xc0\x80"), "text:string_unicode"},
		"surrogate in a name":        {with(`{`, `{"\ud800":1,`), "body:string_unicode"},
		"invalid UTF-8 in a name":    {with(`{`, "{\"\xff\":1,"), "body:string_unicode"},
		"surrogate in another":       {with(`{`, `{"a":"\ud800",`), "body:string_unicode"},
		"surrogate in a nested name": {with(`{`, `{"a":{"\ud800":1},`), "body:string_unicode"},
		"field and another":          {with(`{`, `{"a":"\ud800","b":{"c":1,"c":2},"from":"+1",`), "from:repeated_member body:string_unicode body:repeated_member"},
		"invalid UTF-8 outside":      {with(`{`, "{\xff"), "body:json_invalid"},
	} {
		_, err := readPlain([]byte(c.body))
		var errs message.InvalidErrors
		if !errors.As(err, &errs) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := list(errs); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestPlain_doesNotRepeatWhatTheSenderWrote(t *testing.T) {
	for _, body := range []string{
		`{"secret words`, `{"text":"secret words","text":1}`, `{"secret words":1,"secret words":2}`,
		`{"a":{"secret words":"\ud800"}}`, `{"from":"secret words"}`, `secret words`,
	} {
		if _, err := readPlain([]byte(body)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestPlain_takesEitherHeader(t *testing.T) {
	s := source.NewPlain(source.Secrets{Current: "new", Previous: "old"})
	now := time.Now()
	for name, c := range map[string]struct{ header, value string }{
		"current":                     {signature.HexHMACHeader, signature.NewHexHMAC("new").Sign([]byte(valid))},
		"previous":                    {signature.HexHMACHeader, signature.NewHexHMAC("old").Sign([]byte(valid))},
		"current, as a hub writes it": {signature.HubSHA256Header, signature.NewHubSHA256("new").Sign([]byte(valid))},
	} {
		h := http.Header{}
		h.Set(c.header, c.value)
		if _, err := s.Scheme().Verify(signature.Request{Header: h.Get, Body: []byte(valid)}, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzPlain: nothing makes the parser panic; what it accepts is valid and says
// what encoding/json reads; and it accepts what encoding/json makes of a valid
// message.
func FuzzPlain(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte(`{"message_id":"m1","message_id":"m2"}`))
	f.Add([]byte(`{"a":[{"b":"\ud800"}],"text":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readPlain(body)
		var members map[string]any
		jsonErr := json.Unmarshal(body, &members)
		if err != nil {
			var errs message.InvalidErrors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%q: %v", body, err)
			}
			if jsonErr != nil || !sound(members) {
				return
			}
			canonical, err := json.Marshal(members) // no repeats, no broken Unicode
			if err != nil {
				t.Fatal(err)
			}
			if got, err = readPlain(canonical); err != nil {
				t.Fatalf("%s: %v", canonical, err)
			}
		} else if jsonErr != nil {
			t.Fatalf("%q was accepted: %v", body, jsonErr)
		}
		m := got[0]
		if errs := m.Validate(); errs != nil {
			t.Fatalf("%q gives an invalid message: %v", body, errs)
		}
		text, hasText := members["text"].(string)
		if m.ID != members["message_id"] || m.From != members["from"] || m.To != members["to"] || m.TS != members["ts"] ||
			hasText != (m.Text != nil) || hasText && *m.Text != text {
			t.Fatalf("%q was read as %+v", body, m)
		}
	})
}

// sound reports whether the members make a valid message.
func sound(members map[string]any) bool {
	var m message.Message
	for name, to := range map[string]*string{"message_id": &m.ID, "from": &m.From, "to": &m.To, "ts": &m.TS} {
		s, ok := members[name].(string)
		if !ok {
			return false
		}
		*to = s
	}
	switch text := members["text"].(type) {
	case nil:
	case string:
		m.Text = &text
	default:
		return false
	}
	return m.Validate() == nil
}

func readPlain(body []byte) ([]message.Message, error) {
	c, err := plain.Read(source.Delivery{Body: body})
	return c.Messages, err
}

func list(errs message.InvalidErrors) string {
	var all []string
	for _, e := range errs {
		field := e.Field
		if field == "" {
			field = "body"
		}
		all = append(all, field+":"+e.Code)
	}
	return strings.Join(all, " ")
}

func BenchmarkPlain(b *testing.B) {
	body := []byte(valid)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readPlain(body); err != nil {
			b.Fatal(err)
		}
	}
}
