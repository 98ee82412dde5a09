package message

import (
	"strings"
	"testing"
	"time"
)

func valid() Message {
	text := "hi"
	return Message{ID: "m1", From: "+919876543210", To: "+14155550100", TS: "2025-01-15T10:00:00Z", Text: &text}
}

func TestValidate_acceptsWhatTheContractAllows(t *testing.T) {
	emoji := strings.Repeat("😀", MaxTextCharacters)
	empty := ""
	for name, change := range map[string]func(*Message){
		"as it is":                func(*Message) {},
		"no text":                 func(m *Message) { m.Text = nil },
		"empty text":              func(m *Message) { m.Text = &empty },
		"longest text in emoji":   func(m *Message) { m.Text = &emoji },
		"longest id":              func(m *Message) { m.ID = strings.Repeat("x", MaxIDBytes) },
		"id of blanks and breaks": func(m *Message) { m.ID = " \r\n\x00 " },
		"shortest number":         func(m *Message) { m.From = "+0" },
		"longest number":          func(m *Message) { m.To = "+123456789012345" },
		"nanoseconds":             func(m *Message) { m.TS = "2025-01-15T10:00:00.123456789Z" },
		"leap day":                func(m *Message) { m.TS = "2024-02-29T00:00:00Z" },
		"first year":              func(m *Message) { m.TS = "0001-01-01T00:00:00Z" },
		"last instant":            func(m *Message) { m.TS = "9999-12-31T23:59:59.999999999Z" },
	} {
		m := valid()
		change(&m)
		if errs := m.Validate(); errs != nil {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

func TestValidate_namesTheBrokenField(t *testing.T) {
	long := strings.Repeat("é", MaxTextCharacters+1)
	broken := "\xff"
	for name, c := range map[string]struct {
		change func(*Message)
		field  string
	}{
		"empty id":           {func(m *Message) { m.ID = "" }, "message_id"},
		"long id":            {func(m *Message) { m.ID = strings.Repeat("é", 513) }, "message_id"},
		"id not UTF-8":       {func(m *Message) { m.ID = broken }, "message_id"},
		"no plus":            {func(m *Message) { m.From = "919876543210" }, "from"},
		"plus alone":         {func(m *Message) { m.From = "+" }, "from"},
		"16 digits":          {func(m *Message) { m.From = "+1234567890123456" }, "from"},
		"letters":            {func(m *Message) { m.To = "+12a" }, "to"},
		"other digits":       {func(m *Message) { m.To = "+١٢٣" }, "to"},
		"line end":           {func(m *Message) { m.To = "+123\n" }, "to"},
		"offset":             {func(m *Message) { m.TS = "2025-01-15T10:00:00+00:00" }, "ts"},
		"no zone":            {func(m *Message) { m.TS = "2025-01-15T10:00:00" }, "ts"},
		"small letters":      {func(m *Message) { m.TS = "2025-01-15t10:00:00z" }, "ts"},
		"blank for T":        {func(m *Message) { m.TS = "2025-01-15 10:00:00Z" }, "ts"},
		"comma":              {func(m *Message) { m.TS = "2025-01-15T10:00:00,5Z" }, "ts"},
		"point alone":        {func(m *Message) { m.TS = "2025-01-15T10:00:00.Z" }, "ts"},
		"ten digits":         {func(m *Message) { m.TS = "2025-01-15T10:00:00.1234567890Z" }, "ts"},
		"no such day":        {func(m *Message) { m.TS = "2025-02-29T10:00:00Z" }, "ts"},
		"no such month":      {func(m *Message) { m.TS = "2025-13-01T10:00:00Z" }, "ts"},
		"hour 24":            {func(m *Message) { m.TS = "2025-01-15T24:00:00Z" }, "ts"},
		"one-digit hour":     {func(m *Message) { m.TS = "2025-01-15T1:00:00Z" }, "ts"},
		"minutes only":       {func(m *Message) { m.TS = "2025-01-15T10:00Z" }, "ts"},
		"empty ts":           {func(m *Message) { m.TS = "" }, "ts"},
		"text too long":      {func(m *Message) { m.Text = &long }, "text"},
		"text not UTF-8":     {func(m *Message) { m.Text = &broken }, "text"},
		"blank before digit": {func(m *Message) { m.From = "+ 1" }, "from"},
	} {
		m := valid()
		c.change(&m)
		if errs := m.Validate(); len(errs) != 1 || errs[0].Field != c.field {
			t.Errorf("%s: got %v, want one error of %s", name, errs, c.field)
		}
	}
}

func TestValidate_listsEveryBrokenField(t *testing.T) {
	errs := (&Message{}).Validate()
	var fields []string
	for _, e := range errs {
		fields = append(fields, e.Field)
	}
	if got := strings.Join(fields, " "); got != "message_id from to ts" {
		t.Errorf("got %q", got)
	}
}

func TestParseInstant_ordersMixedPrecision(t *testing.T) {
	ascending := []string{
		"2025-01-15T09:59:59.999999999Z", "2025-01-15T10:00:00Z",
		"2025-01-15T10:00:00.000000001Z", "2025-01-15T10:00:00.1Z", "2025-01-15T10:00:00.12Z", "2025-01-15T10:00:01Z",
	}
	var last time.Time
	for _, s := range ascending {
		at, ok := ParseInstant(s)
		if !ok || !at.After(last) {
			t.Errorf("%s: %v, %v", s, at, ok)
		}
		last = at
	}
}

func TestSameContent_seesEveryField(t *testing.T) {
	other := "other"
	for name, change := range map[string]func(*Message){
		"id": func(m *Message) { m.ID = "m2" }, "from": func(m *Message) { m.From = "+1" },
		"to": func(m *Message) { m.To = "+1" }, "ts": func(m *Message) { m.TS = "2025-01-15T10:00:00.0Z" },
		"text": func(m *Message) { m.Text = &other }, "no text": func(m *Message) { m.Text = nil },
	} {
		a, b := valid(), valid()
		if !a.SameContent(&b) {
			t.Fatal("equal messages differ")
		}
		change(&b)
		if a.SameContent(&b) || b.SameContent(&a) {
			t.Errorf("%s: the difference was not seen", name)
		}
	}
}

// FuzzParseInstant: whatever is accepted is what time.Parse reads, to the
// nanosecond, and says it is in UTC.
func FuzzParseInstant(f *testing.F) {
	for _, s := range []string{"2025-01-15T10:00:00Z", "0000-01-01T00:00:00.5Z", "2025-01-15T10:00:00,5Z", "Z", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := ParseInstant(s)
		if !ok {
			return
		}
		if at.Location() != time.UTC || len(s) > len("2006-01-02T15:04:05.999999999Z") {
			t.Errorf("%q: %v", s, at)
		}
		if whole := at.Format("2006-01-02T15:04:05"); s[:len(whole)] != whole {
			t.Errorf("%q was read as %s", s, whole)
		}
	})
}
