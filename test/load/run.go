package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sluice/pkg/signature"
)

// Config describes a load.
type Config struct {
	Addr        string        // of the api, host:port
	Secret      string        // WEBHOOK_SECRET
	Payload     Payload       // what to post
	First       uint64        // number of the first message, default 0
	Count       uint64        // messages to post, 0 = until the context ends
	Connections int           // keep-alive connections, default 1; the open loop has only as many of them as it needs
	Rate        float64       // open loop: messages due each second whatever happened to the earlier ones; 0 = closed loop
	Prepare     bool          // render and sign all Count requests before the clock starts
	Retry       bool          // post a message again until it is answered 200, as a good sender does
	Timeout     time.Duration // of one request, default 10 s
	Ledger      *Ledger       // notes what was answered 200; nil for nobody
}

// Result is what became of a load.
type Result struct {
	Statuses map[int]uint64 // replies by status
	Errors   uint64         // requests without a reply: refused, reset, timed out
	LastErr  error          // of these
	Latency  Histogram      // of replies with 200; in the open loop from the moment they were due
	Refusals Histogram      // of all other replies, likewise
	Hasty    uint64         // replies with 503 that did not say when to come back
	Opened   int            // most connections at the same time
	Waited   uint64         // messages of the open loop that found every connection busy when they were due
	Elapsed  time.Duration
	LastSeq  uint64 // highest X-Stream-Sequence
}

// OK returns how many messages were acknowledged.
func (r *Result) OK() uint64 { return r.Statuses[200] }

// Rate returns acknowledged messages a second.
func (r *Result) Rate() float64 { return float64(r.OK()) / r.Elapsed.Seconds() }

func (r *Result) String() string {
	s := fmt.Sprintf("%d acknowledged in %v: %.0f/s, %v", r.OK(), r.Elapsed.Round(time.Millisecond), r.Rate(), &r.Latency)
	for status, n := range r.Statuses {
		if status != 200 {
			s += fmt.Sprintf("; %d times %d", n, status)
		}
	}
	if r.Errors > 0 {
		s += fmt.Sprintf("; %d errors, the last: %v", r.Errors, r.LastErr)
	}
	return s
}

// Run posts until Count messages were posted or ctx ends. A request under way is
// then finished, so that everything acknowledged is in the ledger.
func Run(ctx context.Context, c Config) *Result {
	c.Payload = c.Payload.WithDefaults()
	c.Connections = max(c.Connections, 1)
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	r := &run{Config: c, signer: signer{host: c.Addr, scheme: signature.NewHexHMAC(c.Secret)}}
	if c.Prepare {
		r.prepared = make([][]byte, c.Count)
		for i := range r.prepared {
			r.prepared[i] = r.render(c.First + uint64(i))
		}
	}

	r.start = time.Now()
	total := &Result{Statuses: map[int]uint64{}}
	if r.Rate > 0 {
		r.open(ctx, total)
	} else {
		r.closed(ctx, total)
	}
	total.Elapsed = time.Since(r.start)
	return total
}

// closed has each connection post its next message once the last one is answered.
func (r *run) closed(ctx context.Context, total *Result) {
	results := make([]*tally, r.Connections)
	var workers sync.WaitGroup
	for i := range results {
		results[i] = newTally()
		workers.Go(func() { r.work(ctx, results[i]) })
	}
	workers.Wait()
	for _, part := range results {
		total.merge(&part.Result)
	}
	total.Opened = r.Connections
}

func (r *Result) merge(part *Result) {
	for status, n := range part.Statuses {
		r.Statuses[status] += n
	}
	r.Errors += part.Errors
	if part.LastErr != nil {
		r.LastErr = part.LastErr
	}
	r.Latency.Merge(&part.Latency)
	r.Refusals.Merge(&part.Refusals)
	r.Hasty += part.Hasty
	r.LastSeq = max(r.LastSeq, part.LastSeq)
}

// tally is a Result that several connections may share.
type tally struct {
	mu sync.Mutex
	Result
}

func newTally() *tally { return &tally{Result: Result{Statuses: map[int]uint64{}}} }

// run is a load under way.
type run struct {
	Config
	signer   signer
	prepared [][]byte // by number behind First
	taken    atomic.Uint64
	start    time.Time
}

func (r *run) render(n uint64) []byte {
	return r.signer.request(Body(r.Payload.Message(n)))
}

// job is a message to post, due at a moment; the zero moment is whenever it comes.
type job struct {
	n   uint64
	due time.Time
}

// take returns the next message.
func (r *run) take() (j job, ok bool) {
	i := r.taken.Add(1) - 1
	if r.Count > 0 && i >= r.Count {
		return job{}, false
	}
	j.n = r.First + i
	if r.Rate > 0 {
		j.due = r.start.Add(time.Duration(float64(i) / r.Rate * float64(time.Second)))
	}
	return j, true
}

func (r *run) request(n uint64) []byte {
	if r.prepared != nil {
		return r.prepared[n-r.First]
	}
	return r.render(n)
}

// work is one connection's closed loop.
func (r *run) work(ctx context.Context, res *tally) {
	c := r.connection()
	defer c.hangUp()
	for ctx.Err() == nil {
		j, ok := r.take()
		if !ok {
			return
		}
		r.deliver(ctx, c, res, j)
	}
}

func (r *run) connection() *connection { return &connection{addr: r.Addr, timeout: r.Timeout} }

// deliver posts a message, again and again where that is asked for.
func (r *run) deliver(ctx context.Context, c *connection, res *tally, j job) {
	request := r.request(j.n)
	for !r.post(ctx, c, res, j, request) && r.Retry {
		if !sleepUntil(ctx, time.Now().Add(retryPause)) {
			return
		}
	}
}

// retryPause keeps senders from spinning while the api is away.
const retryPause = 5 * time.Millisecond

// post makes one attempt and reports whether it was acknowledged.
func (r *run) post(ctx context.Context, c *connection, res *tally, j job, request []byte) bool {
	if j.due.IsZero() {
		j.due = time.Now()
	}
	rep, err := c.post(ctx, request)
	took := time.Since(j.due)
	res.mu.Lock()
	defer res.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			res.Errors++
			res.LastErr = err
		}
		return false
	}
	res.Statuses[rep.status]++
	if rep.status != 200 {
		res.Refusals.Add(took)
		if rep.status == 503 && !rep.retryAfter {
			res.Hasty++
		}
		return false
	}
	res.Latency.Add(took)
	res.LastSeq = max(res.LastSeq, rep.sequence)
	if r.Ledger != nil {
		r.Ledger.Add(j.n)
	}
	return true
}

// sleepUntil reports whether the moment came before ctx ended.
func sleepUntil(ctx context.Context, t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
