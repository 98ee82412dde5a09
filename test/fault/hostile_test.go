//go:build linux

package fault

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

// mostMemory is what the api may have in memory at any time, whatever strangers
// do: its own bounds are 16,384 connections of some 30 KiB, and 256 MiB of large
// bodies; the runtime may let garbage grow to the same again.
const mostMemory = 1 << 30

// body4M is the length of the largest body that is taken.
const body4M = 4 << 20

// attacks are what many connections do at once.
func attacks(n int) map[string]strangers {
	const head = "POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: 00\r\nContent-Length: %d\r\n\r\n"
	send := func(text string) func(context.Context, net.Conn) {
		return func(_ context.Context, c net.Conn) { _, _ = io.WriteString(c, text) }
	}
	largeBody := bytes.Repeat([]byte("x"), body4M-1)
	return map[string]strangers{
		"idle": {n, func(context.Context, net.Conn) {}, true},
		"slow headers": {n, func(ctx context.Context, c net.Conn) {
			_, _ = io.WriteString(c, "POST /webhook HTTP/1.1\r\nHost: x\r\n")
			drip(ctx, c, "X-A: b\r\n", 100*time.Millisecond)
		}, false},
		"slow bodies": {n, func(ctx context.Context, c net.Conn) {
			fmt.Fprintf(c, head, body4M)
			drip(ctx, c, "0123456789", 100*time.Millisecond)
		}, false},
		"large bodies that never end": {2 * n, func(_ context.Context, c net.Conn) {
			fmt.Fprintf(c, head, body4M)
			_, _ = c.Write(largeBody)
		}, false},
		"chunks without end": {min(n, 100), func(ctx context.Context, c net.Conn) {
			_, _ = io.WriteString(c, "POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
			drip(ctx, c, "400\r\n"+strings.Repeat("x", 1024)+"\r\n", 10*time.Millisecond)
		}, false},
		"half closed": {n, func(_ context.Context, c net.Conn) {
			fmt.Fprintf(c, head, 100)
			_ = c.(*net.TCPConn).CloseWrite()
		}, false},
		"half a request": {n, send("POST /webh"), false},
		"requests unread": {min(n, 20), func(ctx context.Context, c net.Conn) {
			drip(ctx, c, strings.Repeat("GET /stats HTTP/1.1\r\nHost: x\r\n\r\n", 100), time.Millisecond)
		}, false},
		"header floods": {min(n, 100), func(ctx context.Context, c net.Conn) {
			drip(ctx, c, "GET / HTTP/1.1\r\n"+strings.Repeat("X-A: b\r\n", 10_000), time.Millisecond)
		}, false},
		"garbage": {n, func(ctx context.Context, c net.Conn) {
			rng := rand.New(rand.NewPCG(*seed, 7))
			drip(ctx, c, string(garbageOf(rng, 1+rng.IntN(4000))), 10*time.Millisecond)
		}, false},
	}
}

func garbageOf(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestHostile_crowds: while many connections do what they should not, good
// clients are served, memory stays bounded, and what the strangers took is given
// back when they go.
//
// It failed with mostMemory at 300 MiB, and with good clients whose secret was
// wrong.
func TestHostile_crowds(t *testing.T) {
	count := shortOrLong(200, 2000)
	allowFiles(t, uint64(2*count)+1000)
	p := startForStrangers(t)
	for name, s := range attacks(count) {
		t.Run(name, func(t *testing.T) { underAttack(t, p, s) })
	}
}

// TestHostile_idleConnections: thousands of connections that ask for nothing, or
// for nothing more.
func TestHostile_idleConnections(t *testing.T) {
	count := shortOrLong(2000, 10_000)
	if allowed := allowFiles(t, uint64(count)+1000); allowed < uint64(count)+1000 {
		notProven(t, "%d idle connections: a process may have only %d files here", count, allowed)
	}
	p := startForStrangers(t)
	var number atomic.Int64
	underAttack(t, p, strangers{count, func(_ context.Context, c net.Conn) {
		if number.Add(1)%2 == 0 {
			_, _ = io.WriteString(c, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
		}
	}, true})
}

func startForStrangers(t *testing.T) *harness.Pipeline {
	t.Helper()
	return harness.Start(t, harness.Options{
		API:    map[string]string{"LOG_LEVEL": "WARNING"},
		Writer: map[string]string{"LOG_LEVEL": "WARNING"},
	})
}

// underAttack has good clients post and read while strangers do as they like.
func underAttack(t *testing.T, p *harness.Pipeline, s strangers) {
	t.Helper()
	p.Get("/health/live") // this and the next keep a connection each
	p.API.WaitStatus("/health/live", 200)
	before, sockets := openFiles(t, p.API), openSockets(t, p.API)
	resetPeak(t, p.API)
	ledger := &load.Ledger{}
	payload := load.Payload{Seed: uint64(before)<<32 + uint64(len(t.Name()))}
	stopAttack := attack(t, p.Addr, s)
	during := openFiles(t, p.API)
	if s.held {
		harness.Eventually(t, "all connections accepted", func() bool {
			during = openFiles(t, p.API)
			return during >= s.count
		})
	}
	good := send(t, p, load.Config{
		Connections: 4, Rate: 300, Ledger: ledger, Payload: payload,
		Timeout: 30 * time.Second, // strangers take their share of the machine
	})
	good.more(shortOrLong(150, 3000))
	for _, path := range []string{"/messages", "/stats", "/pipeline", "/health/ready", "/metrics"} {
		if res := p.Get(path); res.Status != 200 {
			t.Errorf("GET %s: %d %s", path, res.Status, res.Body)
		}
	}
	res := good.stop()
	wantNoHang(t, res)
	wantOnly(t, res, 200)
	peak := peakMemory(t, p.API)
	t.Logf("%d strangers, %d descriptors, %d MiB at most", s.count, during, peak>>20)
	bound := int64(mostMemory)
	if os.Getenv("SLUICE_TEST_RACE") != "" {
		bound *= 10 // what the race detector may take (go.dev/doc/articles/race_detector)
	}
	if peak > bound {
		t.Errorf("the api had %d MiB in memory", peak>>20)
	}
	stopAttack()
	harness.Eventually(t, "every connection of the strangers closed", func() bool {
		return openSockets(t, p.API) <= sockets
	})
	p.WaitForAll(payload, ledger)
	survived(s.count, "hostile connections")
}

// TestHostile_slowIsEnded: the server ends a request that does not come to its
// end, so that slowness costs the slow client its connection.
func TestHostile_slowIsEnded(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"REQUEST_TIMEOUT": shortOrLong("2s", "30s")}})
	for name, s := range attacks(1) {
		if !strings.HasPrefix(name, "slow ") && name != "half a request" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			each := s.each
			stop := attack(t, p.Addr, strangers{count: 1, each: func(ctx context.Context, c net.Conn) {
				go each(ctx, c)
				_, _ = io.Copy(io.Discard, c) // until the server closes it
				close(ended)
			}})
			defer stop()
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Error("the connection is open after a minute")
			}
		})
	}
}

// TestHostile_lyingLengths: what a request says about its own length decides
// where the next one begins, so a request that contradicts itself is refused, and
// nothing behind it is taken for a request. A body that is not all there is never
// accepted.
//
// It failed with an honest Content-Length in place of the negative one.
func TestHostile_lyingLengths(t *testing.T) {
	t.Parallel()
	p := startForStrangers(t)
	m := numbered(1)
	body := string(load.Body(m))
	request := func(fields, body string) string {
		return "POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: " + harness.Sign(load.Body(m)) + "\r\n" + fields + "\r\n" + body
	}
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)

	for name, c := range map[string]struct {
		request string
		want    []int // the one answer's status; nil also allows none
	}{
		"longer":              {request(length(len(body)+100), body), []int{400}},
		"shorter":             {request(length(len(body)-10), body), []int{401}},
		"negative":            {request("Content-Length: -1\r\n", body+smuggled), []int{400}},
		"plus":                {request(fmt.Sprintf("Content-Length: +%d\r\n", len(body)), body+smuggled), []int{400}},
		"words":               {request("Content-Length: many\r\n", body+smuggled), []int{400}},
		"hexadecimal":         {request(fmt.Sprintf("Content-Length: 0x%x\r\n", len(body)), body+smuggled), []int{400}},
		"list":                {request(fmt.Sprintf("Content-Length: %d, %d\r\n", len(body), len(body)), body+smuggled), []int{400}},
		"empty":               {request("Content-Length:\r\n", body+smuggled), []int{400}},
		"beyond any number":   {request("Content-Length: 99999999999999999999999\r\n", body+smuggled), []int{400, 413}},
		"two different":       {request(length(len(body))+length(5), body+smuggled), []int{400}},
		"two different again": {request(length(5)+length(len(body)), body+smuggled), []int{400}},
		"length and chunks":   {request(length(5)+"Transfer-Encoding: chunked\r\n", chunk+smuggled), []int{400}},
		"chunks and length":   {request("Transfer-Encoding: chunked\r\n"+length(5), chunk+smuggled), []int{400}},
		"unknown coding":      {request("Transfer-Encoding: xchunked\r\n"+length(len(body)), body+smuggled), []int{400, 501}},
		"blank before colon":  {request(fmt.Sprintf("Content-Length : %d\r\n", len(body)), body+smuggled), []int{400}},
		"oversized":           {request(length(body4M+1), ""), []int{413}},
		"oversized and sent":  {request(length(body4M+1), strings.Repeat("x", body4M+1)), []int{413}},
		"oversized in chunks": {request("Transfer-Encoding: chunked\r\n", strings.Repeat("10000\r\n"+strings.Repeat("x", 1<<16)+"\r\n", 65)), []int{413}},
		"no last chunk":       {request("Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s\r\n", len(body), body)), []int{400}},
		"no chunk":            {request("Transfer-Encoding: chunked\r\n", ""), []int{400}},
		"half a last chunk":   {request("Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s\r\n0", len(body), body)), []int{400}},
		"broken chunks":       {request("Transfer-Encoding: chunked\r\n", "zz\r\n"+body+smuggled), []int{400}},
		"a long header":       {request("X-A: "+strings.Repeat("b", 1<<20)+"\r\n", smuggled), []int{431, 400}},
		"many headers":        {request(strings.Repeat("X-A: b\r\n", 10_000), smuggled), []int{431, 400}},
		"a long path":         {"GET /" + strings.Repeat("a", 1<<20) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{431, 414, 400}},
		"garbage":             {string(garbage(4000)), []int{400}},
		"TLS":                 {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + string(garbage(500)), []int{400}},
		"HTTP/2":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + smuggled, []int{400, 404, 405, 505}},
		"nothing":             {"", nil},
		"empty lines":         {strings.Repeat("\r\n", 5000), nil},
	} {
		t.Run(name, func(t *testing.T) { wantOneRefusal(t, ask(t, p.Addr, c.request), c.want) })
	}
	if n := p.APIMetrics()[`webhook_requests_total{source="plain",result="created"}`]; n != 0 {
		t.Errorf("%v messages were accepted", n)
	}
	p.Post(m)
}

func wantOneRefusal(t *testing.T, answers []*http.Response, want []int) {
	t.Helper()
	var got []int
	for _, a := range answers {
		got = append(got, a.StatusCode)
	}
	switch {
	case len(got) == 0 && want == nil:
	case len(got) == 1 && want == nil && got[0]/100 == 4:
	case len(got) == 1 && contains(want, got[0]):
	case len(got) > 1 && contains(want, got[0]) && onlyBadRequests(got[1:]):
		// The rest of a body was taken for a request, which it is not.
	default:
		t.Errorf("answers %d, want one of %d", got, want)
	}
}

func contains(all []int, n int) bool {
	for _, one := range all {
		if one == n {
			return true
		}
	}
	return false
}

func onlyBadRequests(statuses []int) bool {
	for _, s := range statuses {
		if s != 400 {
			return false
		}
	}
	return true
}

// TestHostile_pipelining: requests that come in one piece are answered each, in
// their order.
//
// It failed with the next request's id expected.
func TestHostile_pipelining(t *testing.T) {
	t.Parallel()
	p := startForStrangers(t)
	const count = 200
	var all strings.Builder
	for n := range uint64(count) {
		body := load.Body(numbered(n))
		fmt.Fprintf(&all, "POST /webhook HTTP/1.1\r\nHost: x\r\nX-Request-ID: request-%d\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
			n, harness.Sign(body), len(body), body)
	}
	answers := ask(t, p.Addr, all.String())
	if len(answers) != count {
		t.Fatalf("%d answers to %d requests", len(answers), count)
	}
	for n, a := range answers {
		if id := a.Header.Get("X-Request-ID"); a.StatusCode != 200 || id != fmt.Sprintf("request-%d", n) {
			t.Errorf("answer %d: %d to %s", n, a.StatusCode, id)
		}
	}
	harness.Eventually(t, "all messages", func() bool { return p.Messages().Total == count })
}
