package query

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"sluice/pkg/message"
)

func TestCursor_comesBack(t *testing.T) {
	for _, want := range []message.Position{
		{At: someTime, ID: "m1"},
		{At: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), ID: "\x00"},
		{At: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), ID: strings.Repeat("é", 512)},
		{At: time.Date(1969, 12, 31, 23, 59, 59, 1, time.UTC), ID: " \r\n😀"},
	} {
		for _, descending := range []bool{false, true} {
			got, gotDescending, ok := parseCursor(Cursor(want, descending))
			if !ok || got != want || gotDescending != descending {
				t.Errorf("%v, %v comes back as %v, %v, %v", want, descending, got, gotDescending, ok)
			}
		}
	}
}

// A cursor may be kept for days and handed to a newer program: these bytes are a
// promise.
func TestCursor_goldenBytes(t *testing.T) {
	const want = "AWEAAAAAZ4eHIAcnDgBtMRHsIlA"
	if got := Cursor(message.Position{At: someTime, ID: "m1"}, false); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCursor_refusesGarbage(t *testing.T) {
	right := Cursor(message.Position{At: someTime, ID: "m1"}, false)
	bytes, err := base64.RawURLEncoding.DecodeString(right)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := parseCursor(right); !ok {
		t.Fatal("a right one is refused")
	}
	wrong := []string{"", "a", "AAAA", right + "=", right + "A", right[1:], right[:len(right)-1], right + "\n", right[:5] + "\r\n" + right[5:], "null", "%00"}
	for i := range bytes {
		changed := append([]byte(nil), bytes...)
		changed[i] ^= 1
		wrong = append(wrong, base64.RawURLEncoding.EncodeToString(changed))
	}
	for _, c := range wrong {
		if _, _, ok := parseCursor(c); ok {
			t.Errorf("%q is accepted", c)
		}
	}
}

// FuzzCursor: nothing is accepted that Cursor does not write.
func FuzzCursor(f *testing.F) {
	f.Add(Cursor(message.Position{At: someTime, ID: "m1"}, false))
	f.Add(Cursor(message.Position{ID: "m1"}, true))
	f.Add("AWEAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if p, descending, ok := parseCursor(s); ok && Cursor(p, descending) != s {
			t.Fatalf("%q is read as %v, %v", s, p, descending)
		}
	})
}
