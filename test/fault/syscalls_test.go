package fault

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

// exchange is a message posted under a request id of its own.
type exchange struct{ request, message string }

// TestSystemCalls_syncComesBeforeTheReply: the bytes of a message are written to
// the stream's block file, a sync of that file begins after that and ends well,
// and only then the reply is written: for a request alone, for many at once, for
// a message that is there already, and for copies of one that come at once.
//
// It failed when ACK_DURABILITY was process; the test below keeps it so.
func TestSystemCalls_syncComesBeforeTheReply(t *testing.T) {
	p := harness.Start(t, harness.Options{})
	p.Post(numbered(0)) // so that the files are open
	exchanges := traced(t, p)
	for _, e := range exchanges.list {
		if why := promiseBroken(exchanges.calls, e); why != "" {
			t.Errorf("request %s of message %s: %s", e.request, e.message, why)
		}
	}
	syncs := 0
	for _, c := range exchanges.calls {
		if c.syncs() && strings.HasSuffix(c.path, ".blk") {
			syncs++
		}
	}
	t.Logf("%d replies, each behind a sync of its block; %d syncs of blocks, %d calls traced",
		len(exchanges.list), syncs, len(exchanges.calls))
}

// TestSystemCalls_wouldShowAReplyBeforeTheSync: the same look at a process that
// does not promise this finds the promise broken every time.
func TestSystemCalls_wouldShowAReplyBeforeTheSync(t *testing.T) {
	p := harness.Start(t, harness.Options{API: map[string]string{"ACK_DURABILITY": "process"}})
	p.Post(numbered(0))
	exchanges := traced(t, p)
	for _, e := range exchanges.list {
		why := promiseBroken(exchanges.calls, e)
		if !strings.HasPrefix(why, noSync) {
			t.Errorf("request %s of message %s, with ACK_DURABILITY=process: found %q", e.request, e.message, why)
		}
	}
}

// tracedExchanges is what was posted under strace, and what it saw.
type tracedExchanges struct {
	list  []exchange
	calls []*call
}

// traced posts under strace: one message, the same again, many at once, and many
// copies of one at once.
func traced(t *testing.T, p *harness.Pipeline) tracedExchanges {
	t.Helper()
	const atOnce = 16
	rounds := shortOrLong(3, 300)
	var out tracedExchanges
	out.calls = trace(t, p.API.PID(), func() {
		for round := range rounds {
			first := uint64(1 + round*(atOnce+2))
			out.list = append(out.list, postAtOnce(t, p, round, "alone", first)...)
			out.list = append(out.list, postAtOnce(t, p, round, "again", first)...)
			var many, copies []uint64
			for i := range uint64(atOnce) {
				many = append(many, first+2+i)
				copies = append(copies, first+1)
			}
			out.list = append(out.list, postAtOnce(t, p, round, "many", many...)...)
			out.list = append(out.list, postAtOnce(t, p, round, "copies", copies...)...)
		}
	})
	return out
}

// postAtOnce posts messages by their numbers, each from a goroutine of its own.
func postAtOnce(t *testing.T, p *harness.Pipeline, round int, what string, numbers ...uint64) []exchange {
	t.Helper()
	var all []exchange
	var posting sync.WaitGroup
	for i, n := range numbers {
		m := numbered(n)
		body := load.Body(m)
		id := fmt.Sprintf("%s-%d-%d-end", what, round, i)
		all = append(all, exchange{id, m.ID})
		posting.Go(func() {
			res, err := p.Try("POST", "/webhook", body, "X-Signature", harness.Sign(body), "X-Request-ID", id)
			if err != nil || res.Status != 200 || res.Header.Get("X-Request-ID") != id {
				t.Errorf("request %s: %v %+v", id, err, res)
			}
		})
	}
	posting.Wait()
	return all
}

const noSync = "no sync of its block file between the write and the reply"

// promiseBroken looks for the write of a message, the reply to a request, and a
// sync between them. It returns what is wrong, "" when nothing is.
func promiseBroken(calls []*call, e exchange) string {
	var written, reply *call
	for _, c := range calls {
		switch {
		case c.writes() && strings.HasSuffix(c.path, ".blk") && strings.Contains(c.args, e.message):
			if written == nil {
				written = c
			}
		case c.writes() && strings.HasPrefix(c.path, "socket:") && strings.Contains(c.args, "HTTP/1.1 200") &&
			strings.Contains(c.args, e.request):
			reply = c
		}
	}
	switch {
	case written == nil || !written.ok:
		return "no write of it to a block file"
	case reply == nil:
		return "no reply was written"
	}
	for _, c := range calls {
		if c.syncs() && c.ok && c.path == written.path && c.began > written.ended && c.ended > 0 && c.ended < reply.began {
			return ""
		}
	}
	return fmt.Sprintf("%s: lines %d and %d of the trace", noSync, written.began, reply.began)
}
