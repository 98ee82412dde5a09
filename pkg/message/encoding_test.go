package message

import (
	"flag"
	"net/url"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The stream outlives every version of the program: these bytes are a promise.
func TestMarshal_goldenBytes(t *testing.T) {
	odd := "a\"b\\c\n<&> é 😀 \u2028 \x00"
	for name, m := range map[string]Message{
		"text":    valid(),
		"no_text": {ID: "wamid.HBgM==", From: "+1", To: "+2", TS: "2025-01-15T10:00:00.120Z"},
		"odd":     {ID: odd, From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z", Text: &odd},
	} {
		got, err := Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
		if back, err := Unmarshal(got); err != nil || !back.SameContent(&m) {
			t.Errorf("%s comes back as %+v, %v", name, back, err)
		}
	}
}

func TestUnmarshal_ignoresWhatANewerApiAdds(t *testing.T) {
	m, err := Unmarshal([]byte(`{"v":1,"message_id":"a","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z","text":null,"kind":"image","raw":{"x":[1]}}`))
	if err != nil || m.ID != "a" || m.Text != nil {
		t.Errorf("%+v, %v", m, err)
	}
}

// What a sender sent is kept as it is, and need not be Unicode once it is unescaped.
func TestUnmarshal_keepsRawThatIsNoUnicode(t *testing.T) {
	want := valid()
	want.Raw = []byte(`{"body":"\ud800","body":"\ud83d\ude00"}`)
	data, err := Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(data)
	if err != nil || string(got.Raw) != string(want.Raw) || !got.SameContent(&want) {
		t.Errorf("%s: %+v, %v", data, got, err)
	}
}

func TestUnmarshal_saysWhyAnEntryCanNeverBeApplied(t *testing.T) {
	for data, why := range map[string]string{
		``:                         "not a message",
		`garbage`:                  "not a message",
		`{"v":1} trailing`:         "not a message",
		"{\"v\":1,\"x\":\"\xff\"}": "UTF-8",
		`{"v":3}`:                  "version 3",
		`{"v":2}`:                  `a "", which`,
		`{"v":2,"kind":"call"}`:    `a "call", which`,
		`{"v":2,"kind":"unknown","reason":"no id","raw":{}}`: "no id",
		`{"v":2,"kind":5}`:       "not what its version says",
		`{}`:                     "version 0",
		`{"v":1,"message_id":5}`: "not a message",
		`{"v":1,"message_id":"a","from":"+1","to":"+2","ts":"yesterday"}`: "ts must be",
	} {
		if _, err := Unmarshal([]byte(data)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q in it", data, err, why)
		}
	}
}

func TestHeaderID_leavesCommonIDsAlone(t *testing.T) {
	for _, id := range []string{"m1", "wamid.HBgMOTE5ODc2NTQzMjEwFQIAERgSMTIz==", "~a:b/c+d=", "550e8400-e29b-41d4-a716-446655440000"} {
		if got := HeaderID(id); got != id {
			t.Errorf("%q became %q", id, got)
		}
	}
}

// FuzzHeaderID: the encoding is visible ASCII and can be undone, so no two ids
// share one.
func FuzzHeaderID(f *testing.F) {
	for _, id := range []string{"a", " a", "a ", "a\r\nb", "%", "%25", "%41", "é", "\x00", "a b"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		h := HeaderID(id)
		for i := range len(h) {
			if h[i] <= ' ' || h[i] >= 0x7f {
				t.Fatalf("%q becomes %q", id, h)
			}
		}
		if back, err := url.PathUnescape(h); err != nil || back != id {
			t.Fatalf("%q becomes %q and comes back as %q, %v", id, h, back, err)
		}
	})
}

// FuzzUnmarshal: no bytes make it panic, and what it accepts is valid and
// survives the way through the stream.
func FuzzUnmarshal(f *testing.F) {
	m := valid()
	data, _ := Marshal(&m)
	f.Add(data)
	f.Add([]byte(`{"v":1,"message_id":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Unmarshal(data)
		if err != nil {
			return
		}
		again, err := Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Unmarshal(again); err != nil || !back.SameContent(&m) {
			t.Fatalf("%s comes back as %+v, %v", again, back, err)
		}
	})
}
