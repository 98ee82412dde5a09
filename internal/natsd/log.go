package natsd

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// logger hands nats-server's lines to slog. Its notices, twenty at each start,
// are our debug lines. Fatal lines, after which nats-server expects to be dead,
// are kept for Start to return.
type logger struct {
	log     *slog.Logger
	onError func() // called at each error, under locks of the server's

	mu  sync.Mutex
	err error
}

const logMessage = "nats-server"

func (l *logger) Noticef(format string, v ...any) { l.log.Debug(logMessage, line(format, v)) }
func (l *logger) Warnf(format string, v ...any)   { l.log.Warn(logMessage, line(format, v)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Debug(logMessage, line(format, v)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Debug(logMessage, line(format, v)) }

func (l *logger) Errorf(format string, v ...any) {
	l.log.Error(logMessage, line(format, v))
	l.onError()
}

func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = errors.Join(l.err, fmt.Errorf(format, v...))
}

// fatal returns what the server could not live with, nil when nothing.
func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func line(format string, v []any) slog.Attr {
	return slog.String("line", fmt.Sprintf(format, v...))
}
