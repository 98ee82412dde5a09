package system

import (
	"strings"
	"testing"
)

// TestIDs_everyIDIsItsOwnMessage: any string up to 1024 bytes is an id, and ids
// that differ in any byte are different messages.
func TestIDs_everyIDIsItsOwnMessage(t *testing.T) {
	t.Parallel()
	p := start(t)
	ids := []string{
		"a", "A", "a ", " a", "a  ", "\ta", "a\n", "a\r\n", "\r", "\n", " ", "  ", "a\x00", "\x00", "\x01\x1f\x7f",
		"%41", "%", "%%", "%2F", "a%20", "a+", "a/b", "a//b", "/a", "a/", "/", "//", ".", "..", "../a", "a/../b", "./a",
		"?a=1", "#a", "a&b=c", "a;b", "a:b", "a,b", `"a"`, `\`, `\\`, "'; DROP TABLE messages; --", "<script>",
		"*", ">", "a.b.c", "$JS.API", "é", "e\u0301", "日本語", "🎉", "\u2028", "\ufeffa", "\u00a0a", "a\u00a0", "ﬁ", "fi", "ı", "İ",
		"0", "00", "1e3", "1000", "null", "true", "messages.csv", "_INBOX",
		strings.Repeat("x", 1023), strings.Repeat("x", 1024), strings.Repeat("x", 1023) + "y", strings.Repeat("🎉", 256), strings.Repeat("\n", 1024),
	}
	for i, id := range ids {
		m := hello(id)
		m.From = "+" + strings.Repeat("1", 1+i%15)
		p.Post(m)
	}
	if page := p.Messages(); page.Total != len(ids) {
		t.Errorf("%d ids became %d messages", len(ids), page.Total)
	}
	for i, id := range ids {
		row, ok := p.Message(id)
		if !ok {
			t.Errorf("%q is not found", id)
		} else if row.ID != id || row.From != "+"+strings.Repeat("1", 1+i%15) {
			t.Errorf("%q came back as %q from %s", id, row.ID, row.From)
		}
	}
	for _, id := range []string{"b", "a\t", "x", strings.Repeat("x", 1025), strings.Repeat("x", 5000), "\xff"} {
		if row, ok := p.Message(id); ok {
			t.Errorf("nobody posted %q, but it is %+v", id, row)
		}
	}
}
