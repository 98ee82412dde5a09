package message

import (
	"strings"
	"testing"
)

func TestTraceID_isReadFromWhatTheStandardAllows(t *testing.T) {
	const trace, whole = "0af7651916cd43dd8448eb211c80319c", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for header, want := range map[string]string{
		whole:                              trace,
		"cc" + whole[2:] + "-what-is-next": trace,
		"cc" + whole[2:]:                   trace,
		"":                                 "",
		whole[:54]:                         "",
		whole + "-x":                       "", // version 00 has nothing behind
		"cc" + whole[2:] + "x":             "",
		"ff" + whole[2:]:                   "",
		strings.ToUpper(whole):             "",
		strings.Replace(whole, trace, strings.Repeat("0", 32), 1):              "",
		strings.Replace(whole, "b7ad6b7169203331", strings.Repeat("0", 16), 1): "",
		strings.Replace(whole, "-b", "_b", 1):                                  "",
		"cc" + whole[2:] + "-" + strings.Repeat("x", 300):                      "",
	} {
		if got := TraceID(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func FuzzTraceID(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x")
	f.Fuzz(func(t *testing.T, s string) {
		if id := TraceID(s); id != "" && (len(id) != 32 || !isLowerHex(id) || !strings.Contains(s, id)) {
			t.Errorf("%q: %q", s, id)
		}
	})
}
