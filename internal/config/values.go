package config

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Level is the least level that is logged: DEBUG, INFO, WARNING or ERROR, in
// any case of letters.
type Level slog.Level

// UnmarshalText reads a level.
func (l *Level) UnmarshalText(text []byte) error {
	for _, level := range []Level{Level(slog.LevelDebug), Level(slog.LevelInfo), Level(slog.LevelWarn), Level(slog.LevelError)} {
		if strings.EqualFold(string(text), level.String()) {
			*l = level
			return nil
		}
	}
	return errors.New("must be DEBUG, INFO, WARNING or ERROR")
}

// Level makes l a slog.Leveler.
func (l Level) Level() slog.Level { return slog.Level(l) }

func (l Level) String() string {
	if l.Level() == slog.LevelWarn {
		return "WARNING"
	}
	return l.Level().String()
}

// DatabaseURL says where the database file is: sqlite:////absolute/path or
// sqlite:///relative/path.
type DatabaseURL string

const sqliteScheme = "sqlite:///"

// UnmarshalText reads a database URL. It takes no options and no database in
// memory: the api has to find the writer's file.
func (u *DatabaseURL) UnmarshalText(text []byte) error {
	path, ok := strings.CutPrefix(string(text), sqliteScheme)
	if !ok || path == "" || strings.HasSuffix(path, "/") || strings.ContainsAny(path, "?#\x00") || path == ":memory:" {
		return errors.New("must be sqlite:////absolute/path or sqlite:///relative/path of a file")
	}
	*u = DatabaseURL(text)
	return nil
}

// Path returns the path of the database file.
func (u DatabaseURL) Path() string {
	return strings.TrimPrefix(string(u), sqliteScheme)
}

// Bytes is a size, written as a plain number of bytes.
type Bytes int64

// UnmarshalText reads a size above zero.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n <= 0 {
		return errors.New("must be a number of bytes above 0, digits only")
	}
	*b = Bytes(n)
	return nil
}

// Address is host:port, where a program listens; without a host on every
// interface.
type Address string

// UnmarshalText reads an address.
func (a *Address) UnmarshalText(text []byte) error {
	_, port, err := net.SplitHostPort(string(text))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("must be host:port")
	}
	*a = Address(text)
	return nil
}

// WriterName names a writer and its durable consumer.
type WriterName string

// UnmarshalText reads a name. nats-server takes no consumer name with these
// characters (consumer.go, isValidName), and makes a folder of it.
func (n *WriterName) UnmarshalText(text []byte) error {
	if strings.ContainsAny(string(text), " \t\r\n.*>/\\") || len(text) > 255 {
		return errors.New(`must have no blanks and none of . * > / \`)
	}
	*n = WriterName(text)
	return nil
}

func parseDuration(s string) (any, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return nil, errors.New("must be a duration such as 500ms, 2m or 168h")
	}
	return d, nil
}

// ServerURLs is where a NATS server or the members of a cluster are, separated by
// commas; empty for none.
type ServerURLs string

// UnmarshalText reads the URLs. A scheme may be left out, as in nats.go.
func (u *ServerURLs) UnmarshalText(text []byte) error {
	for server := range strings.SplitSeq(string(text), ",") {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		parsed, err := url.Parse(server)
		if err != nil || parsed.Hostname() == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, parsed.Scheme) {
			return errors.New("must be nats://host:port, or several separated by commas")
		}
	}
	*u = ServerURLs(text)
	return nil
}
