package message

import "strings"

// TraceID returns the trace's id in a traceparent header (W3C Trace Context, section
// 3.2), 32 lower-case hexadecimal digits, and "" when it is no such header.
func TraceID(traceparent string) string {
	const whole = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(traceparent) < whole || len(traceparent) > maxTraceParent {
		return ""
	}
	version, trace, parent, flags := traceparent[:2], traceparent[3:35], traceparent[36:52], traceparent[53:55]
	if traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-' ||
		!isLowerHex(version) || !isLowerHex(trace) || !isLowerHex(parent) || !isLowerHex(flags) ||
		version == "ff" || strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "" {
		return ""
	}
	// A later version may have more behind a dash.
	if len(traceparent) > whole && (version == "00" || traceparent[whole] != '-') {
		return ""
	}
	return trace
}

// maxTraceParent bounds what a later version may say, in bytes.
const maxTraceParent = 256

func isLowerHex(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}
