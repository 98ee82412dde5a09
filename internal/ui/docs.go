package ui

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"

	"github.com/swaggest/swgui/v5/static"
)

//go:embed docs
var docs embed.FS

// DocsPolicy is the Content-Security-Policy of the API's page. Swagger UI makes its
// own markup of the document, which is ours, so it cannot do with trusted types.
const DocsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// DocsFile returns a file of the API's page, and the page itself for "".
func DocsFile(name string) (f File, ok bool) {
	f, ok = docsFiles[name]
	return f, ok
}

var docsFiles = map[string]File{
	"":                     docsFile("docs.html", htmlType),
	"docs.css":             docsFile("docs.css", types[".css"]),
	"docs.js":              docsFile("docs.js", types[".js"]),
	"swagger-ui.css":       swaggerFile("swagger-ui.css.gz", types[".css"]),
	"swagger-ui-bundle.js": swaggerFile("swagger-ui-bundle.js.gz", types[".js"]),
}

func docsFile(name, mediaType string) File {
	body, err := docs.ReadFile("docs/" + name)
	if err != nil {
		panic("ui: " + err.Error())
	}
	return newFile(body, mediaType)
}

// swaggerFile is a file of Swagger UI, which stays packed until it goes out.
func swaggerFile(name, mediaType string) File {
	body, err := static.FS.ReadFile(name)
	if err != nil {
		panic("ui: " + err.Error())
	}
	f := newFile(body, mediaType)
	f.Packed = true
	return f
}

// Unpacked returns the body without gzip, for who does not take it.
func (f *File) Unpacked() ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(f.Body))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return io.ReadAll(r)
}
