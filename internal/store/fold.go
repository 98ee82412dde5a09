package store

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// fold maps texts that differ only in case to one text. It is Unicode's full
// case folding (CaseFolding.txt, status C and F): "STRASSE", "Straße" and
// "strasse" become one, and so do "Σ", "σ" and the final "ς".
//
// One step further than Unicode: full folding makes the Turkish "İ" an "i" with
// a combining dot above. The dot is dropped, so that "istanbul" finds "İstanbul".
// The dotless "ı" stays a letter of its own, as in Unicode. Composed and
// decomposed accents stay different texts.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return strings.ReplaceAll(cases.Fold().String(s), "i\u0307", "i")
}

// foldedContains reports whether a text contains a folded one, whatever its case.
func foldedContains(text, folded string) bool {
	return strings.Contains(fold(text), folded)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
