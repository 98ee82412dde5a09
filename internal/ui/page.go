package ui

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"path"
)

// PagePolicy is the Content-Security-Policy of the page: files of this server and
// nothing else, and no text that a script could turn into markup.
const PagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// File is a file as a browser gets it.
type File struct {
	Body   []byte
	Type   string // its media type
	ETag   string // changes with the body
	Packed bool   // Body is in gzip
}

// types are the media types of the files that the page may ask for.
var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

const htmlType = "text/html; charset=utf-8"

var (
	assets   = allAssets()
	openPage = newFile(asset("index.html"), htmlType)
	// The page shows how to log out, and what only operators with a token may do.
	guardedPage = newFile(bytes.Replace(openPage.Body, []byte(`data-token="no"`), []byte(`data-token="yes"`), 1), htmlType)
)

// Page returns the page; guarded says that it is behind the operator's token.
func Page(guarded bool) File {
	if guarded {
		return guardedPage
	}
	return openPage
}

// Asset returns one of the files that the page asks for.
func Asset(name string) (f File, ok bool) {
	f, ok = assets[name]
	return f, ok
}

func allAssets() map[string]File {
	all := map[string]File{}
	entries, err := embedded.ReadDir("assets")
	if err != nil {
		panic("ui: " + err.Error())
	}
	for _, e := range entries {
		if mediaType, ok := types[path.Ext(e.Name())]; ok {
			all[e.Name()] = newFile(asset(e.Name()), mediaType)
		}
	}
	return all
}

func newFile(body []byte, mediaType string) File {
	sum := sha256.Sum256(body)
	return File{Body: body, Type: mediaType, ETag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}
