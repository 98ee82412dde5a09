package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/groupcommit"
	"sluice/pkg/message"
)

// requestIDHeader carries the id of the delivery that brought an entry.
const requestIDHeader = "Sluice-Request-Id"

// traceHeader carries the traceparent of that delivery (W3C Trace Context), under the
// name that every tracer looks for.
const traceHeader = "traceparent"

// PublisherConfig of a Publisher.
type PublisherConfig struct {
	// Stream is made so each time a connection is there.
	Stream Config

	// Timeout bounds a publish, its commit included. 0 = 3 seconds.
	Timeout time.Duration

	// MaxWaiting bounds the publishes that wait for the server. 0 = 8192.
	MaxWaiting int

	// Commit makes durable what the server has acknowledged; nil where the
	// acknowledgement itself is the promise.
	Commit *groupcommit.Group

	// Refuse is asked before each publish, nil for never; an error refuses it,
	// and those that wait for the server. It must answer at once.
	Refuse func() error
}

const (
	defaultPublishTimeout = 3 * time.Second
	defaultMaxWaiting     = 8192
	watchInterval         = time.Second

	// A cluster without a leader leaves requests unanswered; the next look may meet
	// the new one.
	replicatedLookTimeout = time.Second
)

// errNotSeen is why a replicated stream takes nothing at first: whether it has the
// replicas that an answer promises is not known yet.
var errNotSeen = errors.New("the stream has not been looked at yet")

// Publisher puts entries into the stream. Several goroutines publish at once,
// over one connection: one subscription takes all answers, and a table says who
// waits for which. (A future or a subscription for each costs half the rate.)
type Publisher struct {
	cfg  PublisherConfig
	conn *Conn
	log  *slog.Logger

	inbox   string // what comes to <inbox><number> is the answer of that publish
	sub     *nats.Subscription
	numbers atomic.Uint64

	mu       sync.Mutex
	waiting  map[uint64]waiter
	stopping bool
	inFlight sync.WaitGroup // publishes that have not returned

	batches chan struct{} // holds a token for each PublishAll that publishes

	health  health
	silence silence
}

// waiter is who waits for an answer: ch has room for it.
type waiter struct {
	ch    chan answer
	place int // among those that share ch
}

// answer is what became of one publish.
type answer struct {
	place   int
	receipt message.Receipt
	err     error
}

// wait is what a publish waits on. It is used again, since a timer and a channel for
// each, as in a context, are a good part of what a publish costs.
type wait struct {
	ch      chan answer // has room for one
	timeout *time.Timer
}

var waits = sync.Pool{New: func() any {
	return &wait{ch: make(chan answer, 1), timeout: time.NewTimer(time.Hour)}
}}

// release lets others use w. Nobody may be about to answer.
func (w *wait) release() {
	w.timeout.Stop()
	waits.Put(w)
}

// NewPublisher returns a Publisher that publishes over conn and counts into set.
func NewPublisher(conn *Conn, cfg PublisherConfig, set *metrics.Set, log *slog.Logger) (*Publisher, error) {
	if err := cfg.Stream.Validate(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultPublishTimeout
	}
	if cfg.MaxWaiting == 0 {
		cfg.MaxWaiting = defaultMaxWaiting
	}
	p := &Publisher{
		cfg: cfg, conn: conn, log: log,
		inbox:   conn.nc.NewInbox() + ".",
		waiting: make(map[uint64]waiter),
		batches: make(chan struct{}, max(1, cfg.MaxWaiting/2/cfg.batch())),
	}
	sub, err := conn.nc.Subscribe(p.inbox+"*", p.onAnswer)
	if err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	// Each waiting publish has at most one answer.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, fmt.Errorf("subscribe to answers: %w", err)
	}
	p.sub = sub
	if cfg.Stream.Replicas > 1 {
		p.health.wrong.Store(&errNotSeen)
	}
	conn.whenLost(func() { p.failWaiting(ErrAway) })
	p.health.register(set)
	return p, nil
}

// Publish appends the entry (its MsgID, Source, RequestID, Trace and Data) and returns
// once it is as durable as the process promises. A duplicate waits just as
// long: the first copy may not be on disk yet. It never takes longer than
// PublisherConfig.Timeout. Each error of this package that it returns says
// whether it came at once; all of them mean that the sender may try again.
func (p *Publisher) Publish(ctx context.Context, e message.Entry) (message.Receipt, error) {
	if err := check(&e); err != nil {
		return message.Receipt{}, err
	}
	if err := p.begin(); err != nil {
		return message.Receipt{}, err
	}
	defer p.inFlight.Done()
	receipt, err := p.send(ctx, &e)
	p.observe(err)
	return receipt, err
}

// check refuses what the server's message of an entry cannot hold. Ids and sources
// come from our own code in a form that a header and a subject can hold; anything else
// would make two ids one, or go astray.
func check(e *message.Entry) error {
	if !isToken(e.Source) {
		return fmt.Errorf("source %q is not a subject's part", e.Source)
	}
	if !isVisible(e.MsgID) {
		return fmt.Errorf("message id %q is not a header's value", e.MsgID)
	}
	return nil
}

// newMsg makes the server's message of an entry.
func newMsg(e message.Entry) (*nats.Msg, error) {
	if err := check(&e); err != nil {
		return nil, err
	}
	msg := &nats.Msg{Header: nats.Header{}}
	fill(msg, &e)
	return msg, nil
}

// messages are used again: the connection keeps nothing of what it was given.
var messages = sync.Pool{New: func() any { return &nats.Msg{Header: nats.Header{}} }}

// fill makes msg the server's message of an entry that was checked.
func fill(msg *nats.Msg, e *message.Entry) {
	msg.Subject, msg.Data = subjectPrefix+e.Source, e.Data
	msg.Header[jetstream.MsgIDHeader] = append(msg.Header[jetstream.MsgIDHeader][:0], e.MsgID)
	setOptional(msg.Header, requestIDHeader, e.RequestID)
	setOptional(msg.Header, traceHeader, e.Trace)
}

// setOptional leaves out what a header cannot hold.
func setOptional(h nats.Header, name, value string) {
	if isVisible(value) {
		h[name] = append(h[name][:0], value)
	} else {
		delete(h, name)
	}
}

// isVisible reports whether s is visible ASCII, which a header keeps as it is.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// isToken reports whether s can be one part of a subject.
func isToken(s string) bool { return isVisible(s) && !strings.ContainsAny(s, ".*>") }

// begin counts a publish in, or says why it cannot succeed now.
func (p *Publisher) begin() error {
	if err := p.refusal(); err != nil {
		return err
	}
	if _, ok := p.conn.link(); !ok {
		return ErrAway
	}
	if p.cfg.Stream.Replicas > 1 && p.health.wrong.Load() != nil {
		return ErrAway // no quorum, or not as many replicas as were promised
	}
	if err := p.letIn(); err != nil {
		return err
	}
	if p.silence.refuses() {
		p.inFlight.Done()
		return ErrTimeout
	}
	return nil
}

func (p *Publisher) letIn() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return ErrStopping
	}
	p.inFlight.Add(1)
	return nil
}

// observe tells from a publish's end whether the stream answers.
func (p *Publisher) observe(err error) {
	switch {
	case err == nil:
		p.silence.ended()
	case errors.Is(err, ErrTimeout):
		p.silence.began()
	}
}

// send publishes an entry that was checked and waits for its answer.
func (p *Publisher) send(ctx context.Context, e *message.Entry) (message.Receipt, error) {
	w := waits.Get().(*wait)
	w.timeout.Reset(p.cfg.Timeout)
	number, err := p.publish(e, waiter{ch: w.ch})
	if err == nil {
		select {
		case a := <-w.ch:
			w.release()
			return a.receipt, a.err
		case <-w.timeout.C:
			err = ErrTimeout
		case <-ctx.Done():
			err = timedOut(ctx)
		}
	}
	if p.unwait(number) {
		w.release()
	}
	return message.Receipt{}, err
}

// publish gives an entry to the connection; w gets the answer. After an error the
// number may wait still.
func (p *Publisher) publish(e *message.Entry, w waiter) (number uint64, err error) {
	number = p.numbers.Add(1)
	if err := p.enter(number, w); err != nil {
		return number, err
	}
	msg := messages.Get().(*nats.Msg)
	defer messages.Put(msg)
	fill(msg, e)
	msg.Reply = p.inbox + strconv.FormatUint(number, 36)
	if err := p.conn.nc.PublishMsg(msg); err != nil {
		return number, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return number, nil
}

// timedOut tells our own deadline from a caller that went away.
func timedOut(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}

// enter has w wait for the answer of that number.
func (p *Publisher) enter(number uint64, w waiter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) >= p.cfg.MaxWaiting {
		return ErrOverloaded
	}
	p.waiting[number] = w
	return nil
}

// unwait gives up on an answer. It reports false when somebody took the number
// out of the table meanwhile, or it was never in it: who took it has the channel
// and fills it, so that it is not to be used again.
func (p *Publisher) unwait(number uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ours := p.waiting[number]
	delete(p.waiting, number)
	return ours
}

// onAnswer is called by the connection for each answer of the server.
func (p *Publisher) onAnswer(m *nats.Msg) {
	number, err := strconv.ParseUint(m.Subject[len(p.inbox):], 36, 64)
	if err != nil {
		return
	}
	p.mu.Lock()
	w, ok := p.waiting[number]
	delete(p.waiting, number)
	p.mu.Unlock()
	if !ok {
		return
	}
	receipt, err := parseAck(m)
	if err == nil {
		err = p.commit(w, receipt)
	}
	if err != nil {
		w.ch <- answer{place: w.place, err: err}
	}
}

// commit answers w once what the server has acknowledged is durable. An error means
// that it does not. Who waits is woken once, by the commit: waking it for the
// acknowledgement as well took a tenth of a publish.
func (p *Publisher) commit(w waiter, receipt message.Receipt) error {
	committed := func(err error) {
		a := answer{place: w.place, receipt: receipt}
		if err != nil {
			a = answer{place: w.place, err: p.commitError(err)}
		} else {
			p.health.acknowledged(receipt.Seq)
		}
		w.ch <- a
	}
	if p.cfg.Commit == nil {
		committed(nil)
		return nil
	}
	if err := p.cfg.Commit.Then(committed); err != nil {
		return p.commitError(err)
	}
	return nil
}

// commitError is what a group commit's error means to who publishes.
func (p *Publisher) commitError(err error) error {
	switch {
	case errors.Is(err, groupcommit.ErrTooMany):
		return ErrOverloaded
	case errors.Is(err, groupcommit.ErrStopped):
		return ErrStopping
	}
	err = fmt.Errorf("%w: %w", ErrNotDurable, err)
	p.health.fail(err)
	return err
}

// failWaiting answers all who wait.
func (p *Publisher) failWaiting(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.waiting {
		w.ch <- answer{place: w.place, err: err}
	}
	clear(p.waiting)
}

// Close lets no publish in any more and returns once those that were let in
// have been answered, which takes PublisherConfig.Timeout at most, and that of a
// PublishAll as long as it says. The group commit must still run.
func (p *Publisher) Close() {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	p.inFlight.Wait()
	_ = p.sub.Unsubscribe() // fails only without a connection
}
