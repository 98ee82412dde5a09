package ui

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
)

// The form stands alone: whoever has not shown the token gets no other file.
var (
	loginStyle = asset("login.css")
	loginPage  = template.Must(template.New("login").Parse(string(asset("login.html"))))
)

// LoginPolicy is the Content-Security-Policy of the form: its own style and icon, no script.
var LoginPolicy = "default-src 'none'; img-src data:; style-src 'sha256-" + styleHash() + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func styleHash() string {
	sum := sha256.Sum256(loginStyle)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Login returns the form that asks for the token. next is where to go with it, and
// wrong why the last try did not do, empty on the first.
func Login(next, wrong string) []byte {
	var b bytes.Buffer
	err := loginPage.Execute(&b, struct {
		Style       template.CSS
		Next, Wrong string
	}{template.CSS(loginStyle), next, wrong})
	if err != nil {
		panic("ui: " + err.Error())
	}
	return b.Bytes()
}
