package httpapi

import "bytes"

var (
	contentLength    = []byte("content-length")
	transferEncoding = []byte("transfer-encoding")
)

// oneLength reports whether a header says at most once how long the body is. With
// two lengths, or a length and a transfer coding, a proxy in front may see another
// end of the request than fasthttp does, and what lies between the two would be
// taken for a request of its own (RFC 9112, section 6.3, points 3 and 5).
func oneLength(rawHeader []byte) bool {
	lengths := 0
	for len(rawHeader) > 0 {
		var line []byte
		line, rawHeader, _ = bytes.Cut(rawHeader, []byte("\n"))
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch len(name) {
		case len(contentLength), len(transferEncoding):
			if bytes.EqualFold(name, contentLength) || bytes.EqualFold(name, transferEncoding) {
				lengths++
			}
		}
	}
	return lengths <= 1
}
