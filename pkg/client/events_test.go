package client

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestEvents_areReadAsTheStandardSays(t *testing.T) {
	r := newEventReader(strings.NewReader("retry: 1\nid: 5\n\n: a comment\nid:6\nevent: message\ndata: a\ndata:  b\r\n\r\ndata: cut off\n"))
	for _, want := range []event{{id: "5"}, {id: "6", name: "message", data: []byte("a\n b")}} {
		got, err := r.next()
		if err != nil || got.id != want.id || got.name != want.name || !bytes.Equal(got.data, want.data) {
			t.Errorf("%+v %v", got, err)
		}
	}
	if got, err := r.next(); err != io.EOF {
		t.Errorf("%+v %v", got, err)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("id: 5\nevent: message\ndata: {}\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		r := newEventReader(strings.NewReader(s))
		for range len(s) + 1 {
			e, err := r.next()
			if err != nil {
				return
			}
			_, _ = decodeEvent(e)
		}
		t.Error("it never ends")
	})
}
