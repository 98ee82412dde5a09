package ui

import (
	"regexp"
	"strings"
	"testing"
)

var (
	fromPage   = regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`)
	fromModule = regexp.MustCompile(`from "\./([^"]+)"`)
	inScript   = regexp.MustCompile(`"/assets/([^"]+)"`)
)

// Everything that the page loads is there, module by module.
func TestPage_asksForNothingThatIsMissing(t *testing.T) {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		file, ok := Asset(name)
		if !ok {
			t.Errorf("%s is missing", name)
		}
		for _, pattern := range []*regexp.Regexp{fromModule, inScript} {
			for _, m := range pattern.FindAllStringSubmatch(string(file.Body), -1) {
				visit(m[1])
			}
		}
	}
	for _, m := range fromPage.FindAllStringSubmatch(string(Page(false).Body), -1) {
		visit(strings.TrimPrefix(m[1], "/assets/"))
	}
	if len(seen) < 10 {
		t.Errorf("only %v were found", seen)
	}
}

// What strangers sent becomes part of the page as text; and nothing is fetched from
// elsewhere.
func TestScripts_makeNoMarkup(t *testing.T) {
	for name, file := range assets {
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://", `"//`} {
			if strings.Contains(string(file.Body), bad) {
				t.Errorf("%s has %s", name, bad)
			}
		}
	}
}

func TestPage_knowsWhetherThereIsAToken(t *testing.T) {
	open, guarded := Page(false), Page(true)
	if !strings.Contains(string(open.Body), `data-token="no"`) || !strings.Contains(string(guarded.Body), `data-token="yes"`) || open.ETag == guarded.ETag {
		t.Error("the two pages are not told apart")
	}
}
