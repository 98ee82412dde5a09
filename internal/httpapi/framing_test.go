package httpapi

import "testing"

func TestOneLength(t *testing.T) {
	for header, want := range map[string]bool{
		"":                                 true,
		"Host: a\r\n\r\n":                  true,
		"Content-Length: 5\r\nHost: a\r\n": true,
		"Transfer-Encoding: chunked\r\n":   true,
		"X-Content-Length: 5\r\nContent-Length: 5\r\n":                       true,
		"Content-Length: 5\r\nContent-Length: 6\r\n":                         false,
		"Content-Length: 5\r\nHost: a\r\ncontent-length: 5\r\n":              false,
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n":                false,
		"TRANSFER-ENCODING: chunked\r\nHost: a\r\nContent-Length: 5\r\n\r\n": false,
	} {
		if got := oneLength([]byte(header)); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}
