// Package ui is the operator's page and the one to try the API out: static files that
// talk to the public API like anybody else. It refuses to know what the API's answers are made of.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed assets
var embedded embed.FS

// asset returns a file of the page, which is there or the program was built wrong.
func asset(name string) []byte {
	b, err := fs.ReadFile(embedded, "assets/"+name)
	if err != nil {
		panic("ui: " + err.Error())
	}
	return b
}
