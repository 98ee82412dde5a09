package message

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestMarshalStatus_goldenBytes(t *testing.T) {
	status := Status{MessageID: "wamid.A<", Status: "read", TS: "2025-01-15T10:00:00Z", Recipient: "+1", Raw: json.RawMessage(`{"id":"wamid.A<","x":[1]}`)}
	least := Status{MessageID: "SM1", Status: "sent"}
	for name, s := range map[string]Status{"status": status, "least_status": least} {
		data, err := MarshalStatus(&s)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, data)
		if _, err := Unmarshal(data); !errors.Is(err, ErrIsStatus) {
			t.Errorf("%s read as a message: %v", name, err)
		}
		if back, err := UnmarshalStatus(data); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s comes back as %+v, %v", name, back, err)
		}
	}
	data, err := MarshalUnknown(&Unknown{Reason: "it has no id", Raw: json.RawMessage(`"a&b"`)})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "unknown", data)
	if _, err := Unmarshal(data); err == nil || errors.Is(err, ErrIsStatus) || !strings.Contains(err.Error(), "it has no id") {
		t.Errorf("unknown read as a message: %v", err)
	}
	if _, err := UnmarshalStatus(data); err == nil {
		t.Error("unknown read as a status")
	}
}

func TestMarshal_keepsWhatTheSenderSent(t *testing.T) {
	m := valid()
	m.Raw = json.RawMessage(`{"type":"image","image":{"id":"1","caption":"a<b"}}`)
	data, err := Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "raw", data)
	if back, err := Unmarshal(data); err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("comes back as %+v, %v", back, err)
	}
}

// golden compares bytes that are a promise with the file of that name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".payload.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

func TestUnmarshalStatus_refusesWhatBreaksARule(t *testing.T) {
	long := strings.Repeat("x", 257)
	for data, why := range map[string]string{
		``:                                  "not a status",
		`{"v":1,"kind":"status"}`:           "not a status",
		`{"v":2,"kind":"status"}`:           "message_id must not be empty; status must not be empty",
		"{\"v\":2,\"kind\":\"status\xff\"}": "not a status",
		`{"v":2,"kind":"status","message_id":"a","status":"` + long + `"}`:                 "status must have at most",
		`{"v":2,"kind":"status","message_id":"a","status":"b","recipient":"` + long + `"}`: "recipient must have",
		`{"v":2,"kind":"status","message_id":"a","status":"b","ts":"yesterday"}`:           "ts must be",
	} {
		if _, err := UnmarshalStatus([]byte(data)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q in it", data, err, why)
		}
	}
}

// No two things that can be told apart share a Nats-Msg-Id, whoever sends them.
func TestMsgID_neverHidesOneThingBehindAnother(t *testing.T) {
	ids := map[string]string{}
	add := func(what, id string) {
		if !strings.HasPrefix(id, "%") && strings.Contains(id, " ") {
			t.Errorf("%s: %q", what, id)
		}
		if other, taken := ids[id]; taken {
			t.Errorf("%s and %s are both %q", what, other, id)
		}
		ids[id] = what
	}
	for _, id := range []string{"a", "whatsapp:a", "%whatsapp:a", "%25whatsapp:a", "WHATSAPP:a", "twilio:a", ".status:a"} {
		for _, source := range []string{PlainSource, "whatsapp", "twilio", "standard", "a", "fa"} {
			add(source+" "+id, MsgID(source, id))
		}
	}
	for _, s := range []Status{
		{MessageID: "a", Status: "b"}, {MessageID: "a\n", Status: "b"}, {MessageID: "a", Status: "\nb"}, {MessageID: "a", Status: "b", TS: "c"},
		{MessageID: "a", Status: "b", Recipient: "c"}, {MessageID: "a%0A", Status: "b"}, {MessageID: "ab", Status: ""},
	} {
		add("status", s.MsgID("whatsapp"))
		add("status of twilio", s.MsgID("twilio"))
	}
	for _, raw := range []string{``, `1`, `"1"`} {
		u := Unknown{Reason: "some", Raw: json.RawMessage(raw)}
		add("unknown", u.MsgID("whatsapp"))
	}
}

// FuzzUnmarshalStatus: no bytes make it panic, and what it accepts survives the
// way through the stream.
func FuzzUnmarshalStatus(f *testing.F) {
	f.Add([]byte(`{"v":2,"kind":"status","message_id":"a","status":"read","ts":"2025-01-15T10:00:00Z","recipient":"+1","raw":{"a":[1]}}`))
	f.Add([]byte(`{"v":2,"kind":"unknown","reason":"no","raw":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := UnmarshalStatus(data)
		if err != nil {
			return
		}
		again, err := MarshalStatus(&s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := UnmarshalStatus(again); err != nil || !back.SameEvent(&s) {
			t.Fatalf("%s comes back as %+v, %v", again, back, err)
		}
	})
}
