//go:build linux

package fault

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// strangers is how many connections of one kind of hostile client do to a server.
type strangers struct {
	count int

	// each is one connection's doing, until it has had enough or ctx ends, when
	// the connection is closed under it.
	each func(ctx context.Context, c net.Conn)

	held bool // the server has all these connections at once
}

// attack has strangers connect and returns a function that sends them away.
func attack(t *testing.T, addr string, s strangers) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	conns := make([]net.Conn, 0, s.count)
	for range s.count {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Errorf("connection %d: %v", len(conns)+1, err)
			break
		}
		conns = append(conns, c)
		busy.Go(func() { s.each(ctx, c) })
	}
	return func() {
		cancel()
		for _, c := range conns {
			c.Close()
		}
		busy.Wait()
	}
}

// drip sends text again and again, a bit at a time, until the server or the test
// ends it.
func drip(ctx context.Context, c net.Conn, text string, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// ask sends bytes on a connection of their own, ends the sending side, and returns
// every answer until the server closes.
func ask(t *testing.T, addr, bytes string) []*http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, bytes) // the server may have had enough of it
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	defer func() { <-sent }()

	var all []*http.Response
	for r := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(r, nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return all
		}
		if err != nil {
			if strings.Contains(err.Error(), "connection reset") {
				return all
			}
			t.Fatalf("after %d answers to %.80q: %v", len(all), bytes, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("the body of answer %d to %.80q: %v", len(all)+1, bytes, err)
		}
		res.Body = io.NopCloser(strings.NewReader(string(body)))
		all = append(all, res)
	}
}
