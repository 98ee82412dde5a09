package query

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/pkg/message"
)

// A cursor is a position and the order it was reached in, as base64url without
// padding of
//
//	version (1 byte) | order (1) | seconds (8) | nanoseconds (4) | id (1 to 1024) | CRC-32 of all before (4)
//
// with big-endian numbers. Callers hand it back as it is; the check sum tells a
// cursor from garbage, not from a forgery: a forged one shows nothing that an
// offset would not.
const (
	cursorVersion = 1
	cursorFixed   = 1 + 1 + 8 + 4
	cursorSum     = 4

	ascending  = 'a'
	descending = 'd'
)

// The instants that a ts can name; see message.ParseInstant.
var (
	firstSecond = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastSecond  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
)

// Cursor returns what a caller hands back to go on behind p in that order.
func Cursor(p message.Position, isDescending bool) string {
	order := byte(ascending)
	if isDescending {
		order = descending
	}
	b := make([]byte, 0, cursorFixed+len(p.ID)+cursorSum)
	b = append(b, cursorVersion, order)
	b = binary.BigEndian.AppendUint64(b, uint64(p.At.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(p.At.Nanosecond()))
	b = append(b, p.ID...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor undoes Cursor. Everything that Cursor does not write is refused.
func parseCursor(s string) (p message.Position, isDescending, ok bool) {
	if strings.ContainsAny(s, "\r\n") { // which the decoder would skip
		return p, false, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) <= cursorFixed+cursorSum || b[0] != cursorVersion {
		return p, false, false
	}
	b, sum := b[:len(b)-cursorSum], b[len(b)-cursorSum:]
	if crc32.ChecksumIEEE(b) != binary.BigEndian.Uint32(sum) {
		return p, false, false
	}
	order, seconds := b[1], int64(binary.BigEndian.Uint64(b[2:]))
	nanos, id := binary.BigEndian.Uint32(b[10:]), string(b[cursorFixed:])
	if order != ascending && order != descending || nanos >= 1e9 ||
		seconds < firstSecond || seconds > lastSecond ||
		len(id) > message.MaxIDBytes || !utf8.ValidString(id) {
		return p, false, false
	}
	return message.Position{At: time.Unix(seconds, int64(nanos)).UTC(), ID: id}, order == descending, true
}
