package store

import "testing"

func TestFold_findsWhateverTheCase(t *testing.T) {
	for _, c := range []struct {
		text, term string
		want       bool
	}{
		{"Hello World", "LO WO", true},
		{"STRASSE", "straße", true},
		{"Straße", "STRASSE", true},
		{"straße", "ss", true},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", true},
		{"σίσυφος", "ΣΥΦΟΣ", true},
		{"İstanbul", "istanbul", true},
		{"istanbul", "İSTANBUL", true},
		{"i\u0307stanbul", "İstanbul", true},
		{"ısparta", "isparta", false},
		{"ИВАН", "иван", true},
		{"ﬁsh", "FISH", true},
		{"日本語", "本", true},
		{"100% a_b", "0% A_", true},
		{"abc", "a_c", false},
		{"abc", "a%c", false},
		{"", "a", false},
		{"caf\u00e9", "CAF\u00c9", true},
		{"caf\u00e9", "cafe", false},
		{"\U00010400", "\U00010428", true},
	} {
		if got := foldedContains(c.text, fold(c.term)); got != c.want {
			t.Errorf("%q contains %q: %v", c.text, c.term, got)
		}
	}
}
