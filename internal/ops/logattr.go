package ops

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// appendAttr appends one attribute, nothing when it is empty.
func appendAttr(b []byte, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if a.Key == "" && value.Kind() != slog.KindGroup {
		return b
	}
	if value.Kind() == slog.KindGroup {
		return appendGroup(b, a.Key, value.Group())
	}
	return appendValue(appendKey(b, a.Key), value)
}

// appendGroup appends a group, nothing when it is empty; without a name its
// attributes stand as if they were not grouped.
func appendGroup(b []byte, name string, attrs []slog.Attr) []byte {
	start := len(b)
	if name != "" {
		b = openGroup(b, name)
	}
	empty := len(b)
	for _, a := range attrs {
		b = appendAttr(b, a)
	}
	if len(b) == empty {
		return b[:start]
	}
	if name != "" {
		b = append(b, '}')
	}
	return b
}

func openGroup(b []byte, name string) []byte {
	return append(appendKey(b, name), '{')
}

// appendKey appends the key and what parts it from the attribute before it.
// Behind an empty b comes "msg", so b is a preset and starts with a comma.
func appendKey(b []byte, key string) []byte {
	if len(b) == 0 || b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(appendString(b, key), ':')
}

func appendValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendString(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(b, v.Uint64(), 10)
	case slog.KindBool:
		return strconv.AppendBool(b, v.Bool())
	case slog.KindFloat64:
		if f := v.Float64(); !math.IsInf(f, 0) && !math.IsNaN(f) {
			return strconv.AppendFloat(b, f, 'g', -1, 64)
		}
	case slog.KindTime:
		return appendString(b, v.Time().UTC().Format(time.RFC3339Nano))
	case slog.KindAny:
		return appendAny(b, v.Any())
	}
	return appendString(b, v.String()) // a duration as "1.5s", and what JSON has no number for
}

// appendAny appends an error as its text and any other value as encoding/json
// writes it.
func appendAny(b []byte, v any) []byte {
	if err, ok := v.(error); ok {
		return appendString(b, err.Error())
	}
	data, err := json.Marshal(v)
	if err != nil {
		return appendString(b, fmt.Sprintf("%+v", v))
	}
	return append(b, data...)
}

// appendString appends s quoted; bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
