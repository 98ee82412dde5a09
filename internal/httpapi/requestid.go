package httpapi

import "github.com/nats-io/nuid"

// maxRequestID bounds the request id that a caller may choose, in bytes.
const maxRequestID = 128

// requestID returns a copy of the caller's id when it is fit for headers and logs,
// else a new one.
func requestID(callers []byte) string {
	if len(callers) == 0 || len(callers) > maxRequestID {
		return nuid.Next()
	}
	for _, c := range callers {
		if !isRequestIDChar(c) {
			return nuid.Next()
		}
	}
	return string(callers)
}

// isRequestIDChar takes what UUIDs, ULIDs, base64 and trace headers are made of.
func isRequestIDChar(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return true
	}
	switch c {
	case '-', '_', '.', ':', '/', '+', '=', '@', '~':
		return true
	}
	return false
}
