package ops

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// NewLogger returns a logger that writes one JSON object a line to w: ts (RFC
// 3339, UTC), level (DEBUG, INFO, WARNING or ERROR), msg, then the attributes.
//
// Lines are gathered for up to flushDelay before they are written, whole and in
// order; an ERROR is written at once, with everything before it. A crash can
// lose the last lines, a clean stop loses none: call flush when nothing logs
// any more. When w does not keep up, the logger waits for it.
func NewLogger(w io.Writer, level slog.Leveler) (log *slog.Logger, flush func()) {
	lines := &lineWriter{w: w}
	return slog.New(&jsonHandler{level: level, lines: lines}), lines.flush
}

// jsonHandler writes records as NewLogger says. It is here because a log line for
// each request is a good part of what a request costs: slog's own handler, told
// to rename its keys, takes about twice as long (BenchmarkLogger).
type jsonHandler struct {
	level slog.Leveler
	lines *lineWriter

	preset []byte   // of WithAttrs, as they stand in each line, opened groups included
	opened int      // groups opened in preset, to be closed at the line's end
	groups []string // of WithGroup, opened once they hold something
}

// Enabled is part of slog.Handler.
func (h *jsonHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// buffers holds the bytes of one line while it is made.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Handle is part of slog.Handler.
func (h *jsonHandler) Handle(_ context.Context, r slog.Record) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)

	b := append((*buffer)[:0], '{')
	if !r.Time.IsZero() {
		b = append(b, `"ts":"`...)
		b = r.Time.UTC().AppendFormat(b, time.RFC3339Nano)
		b = append(b, `",`...)
	}
	b = append(b, `"level":"`...)
	b = append(b, levelName(r.Level)...)
	b = append(b, `","msg":`...)
	b = appendString(b, r.Message)
	b = append(b, h.preset...)
	b, opened := h.appendAttrs(b, r.Attrs)
	for range h.opened + opened {
		b = append(b, '}')
	}
	b = append(b, '}', '\n')
	*buffer = b

	h.lines.write(b)
	if r.Level >= slog.LevelError {
		h.lines.flush()
	}
	return nil
}

// WithAttrs is part of slog.Handler.
func (h *jsonHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	var opened int
	with.preset, opened = h.appendAttrs(append([]byte(nil), h.preset...), func(f func(slog.Attr) bool) {
		for _, a := range attrs {
			f(a)
		}
	})
	if opened > 0 {
		with.opened, with.groups = h.opened+opened, nil
	}
	return &with
}

// WithGroup is part of slog.Handler.
func (h *jsonHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.groups = append(append([]string(nil), h.groups...), name)
	return &with
}

// appendAttrs appends the attributes that each gives, inside the groups that
// wait to be opened, and returns how many groups it opened: none when there
// were no attributes.
func (h *jsonHandler) appendAttrs(b []byte, each func(func(slog.Attr) bool)) (_ []byte, opened int) {
	start := len(b)
	for _, name := range h.groups {
		b = openGroup(b, name)
	}
	empty := len(b)
	each(func(a slog.Attr) bool {
		b = appendAttr(b, a)
		return true
	})
	if len(b) == empty {
		return b[:start], 0
	}
	return b, len(h.groups)
}

func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < slog.LevelWarn:
		return "INFO"
	case l < slog.LevelError:
		return "WARNING"
	}
	return "ERROR"
}
