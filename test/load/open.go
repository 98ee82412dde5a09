package load

import (
	"context"
	"sync"
)

// openLoop hands out messages when they are due, whatever became of the earlier
// ones. Each goes to the connection that was free last, and to a new one while
// none is: as with real senders, there are as many as messages wait for answers.
type openLoop struct {
	*run
	ctx     context.Context
	results []*tally
	workers sync.WaitGroup
	slots   chan struct{} // holds a token for each connection that may still be given a message

	mu   sync.Mutex
	idle []chan job // of the connections that have nothing to do, the last one free at the end
	all  []chan job
}

// shared is how many results the connections of an open loop share: each has two
// histograms, which thousands of connections could not have for themselves.
const shared = 16

// open posts each message when it is due.
func (r *run) open(ctx context.Context, total *Result) {
	o := &openLoop{run: r, ctx: ctx, slots: make(chan struct{}, r.Connections)}
	for range r.Connections {
		o.slots <- struct{}{}
	}
	for range min(shared, r.Connections) {
		o.results = append(o.results, newTally())
	}
	for {
		j, ok := r.take()
		if !ok || !sleepUntil(ctx, j.due) || !o.wait(total) {
			break
		}
		o.give(j)
	}
	o.end()
	for _, part := range o.results {
		total.merge(&part.Result)
	}
	total.Opened = len(o.all)
}

// wait waits for a connection that may be given a message. It reports false when
// the context ended first.
func (o *openLoop) wait(total *Result) bool {
	select {
	case <-o.slots:
		return true
	default:
	}
	total.Waited++
	select {
	case <-o.slots:
		return true
	case <-o.ctx.Done():
		return false
	}
}

func (o *openLoop) give(j job) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last := len(o.idle) - 1; last >= 0 {
		o.idle[last] <- j
		o.idle = o.idle[:last]
		return
	}
	jobs := make(chan job, 1)
	res := o.results[len(o.all)%len(o.results)]
	o.all = append(o.all, jobs)
	jobs <- j
	o.workers.Go(func() { o.serve(jobs, res) })
}

// serve is one connection's loop.
func (o *openLoop) serve(jobs chan job, res *tally) {
	c := o.connection()
	defer c.hangUp()
	for j := range jobs {
		o.deliver(o.ctx, c, res, j)
		o.mu.Lock()
		o.idle = append(o.idle, jobs)
		o.mu.Unlock()
		o.slots <- struct{}{}
	}
}

// end returns once every message that was given out is answered.
func (o *openLoop) end() {
	o.mu.Lock()
	for _, jobs := range o.all {
		close(jobs)
	}
	o.mu.Unlock()
	o.workers.Wait()
}
