package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
)

// ConsumerConfig of a Consumer.
type ConsumerConfig struct {
	// Name of the durable consumer: the writer's. Writers of other names get
	// every entry as well.
	Name string

	// InactiveThreshold is how long the stream keeps the entries that a writer
	// has not acknowledged when it does not ask for any: after that the writer
	// is taken for retired. 0 = 14 days.
	InactiveThreshold time.Duration
}

const (
	defaultInactiveThreshold = 14 * 24 * time.Hour

	// ackWait is when the server delivers again what was not acknowledged. The
	// writer acknowledges what it has synced, which may take a while, and a
	// redelivery is of no use to it: Begin is.
	ackWait = time.Hour

	// openInterval is between two looks for a stream that is away.
	openInterval = 250 * time.Millisecond
)

// Consumer is the stream as a writer sees it. Its methods are for one goroutine.
//
//	Open ─▶ Begin ─▶ Fetch … Ack … ─▶ ErrDisconnected ─▶ Open
//
// Once a method has returned message.ErrDisconnected all do, until Open: the
// stream may have changed meanwhile, and the writer proves its checkpoint again.
type Consumer struct {
	cfg  ConsumerConfig
	conn *Conn
	log  *slog.Logger

	session context.Context // ends when the connection that Open found is lost
	end     context.CancelFunc
	id      string // of the stream that Open found

	pull    *pull      // since Begin
	fetches []ackPoint // what Ack can acknowledge, in ascending order
}

// ackPoint is the last entry of one Fetch and the subject that acknowledges it
// with everything before it.
type ackPoint struct {
	seq     uint64
	subject string
}

// NewConsumer returns a Consumer over conn.
func NewConsumer(conn *Conn, cfg ConsumerConfig, log *slog.Logger) *Consumer {
	if cfg.InactiveThreshold == 0 {
		cfg.InactiveThreshold = defaultInactiveThreshold
	}
	c := &Consumer{cfg: cfg, conn: conn, log: log}
	c.session, c.end = context.WithCancel(context.Background())
	c.end()
	return c
}

// Open waits until the stream can be reached, however long that takes, and
// tells its state. It fails only when ctx ends, and then says what it met.
func (c *Consumer) Open(ctx context.Context) (message.StreamState, error) {
	c.Close()
	for {
		s, err := c.open(ctx)
		if err == nil {
			c.conn.answered()
			return s, nil
		}
		c.conn.unanswered()
		if !sleep(ctx, openInterval) {
			return message.StreamState{}, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

func (c *Consumer) open(ctx context.Context) (message.StreamState, error) {
	session, end, err := c.conn.session()
	if err != nil {
		return message.StreamState{}, err
	}
	within, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s, err := c.conn.js.Stream(within, Name)
	if err == nil {
		err = quorum(s.CachedInfo())
	}
	if err != nil {
		end()
		return message.StreamState{}, err
	}
	c.session, c.end = session, end
	now := state(s.CachedInfo())
	c.id = now.ID
	return now, nil
}

// Close ends the session; the durable consumer stays. Open begins a new one.
func (c *Consumer) Close() {
	c.end()
	c.pull.stop()
	c.pull, c.fetches = nil, nil
}

// lost ends the session and says why. When the caller's own ctx has ended, that
// is why.
func (c *Consumer) lost(ctx context.Context, step string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.Close()
	return fmt.Errorf("%s: %w: %w", step, message.ErrDisconnected, err)
}

// Entry returns the entry at seq, message.ErrTrimmed or message.ErrNoEntry. Any of
// them is what the stream that Open found says now: it may have been trimmed since.
func (c *Consumer) Entry(ctx context.Context, seq uint64) (message.Entry, error) {
	within, cancel := during(ctx, c.session)
	defer cancel()
	e, err := c.conn.entry(within, seq)
	if err != nil && !errors.Is(err, message.ErrNoEntry) {
		return e, c.lost(ctx, "read an entry", err)
	}
	now, another := c.again(within)
	switch {
	case another != nil:
		return message.Entry{}, c.lost(ctx, "look at the stream again", another)
	case err != nil && seq < now.First:
		return e, message.ErrTrimmed
	}
	return e, err
}

// Begin makes the durable consumer deliver from the first entry behind after,
// whatever it delivered before. Everything up to after counts as acknowledged
// from then on, and may be trimmed: it must be kept for good.
//
// It never takes the consumer away, not even for a moment: that would leave the
// entries to other writers' acknowledgements. Resetting a consumer needs
// nats-server 2.14 or newer (ADR-60); an older one does not answer.
func (c *Consumer) Begin(ctx context.Context, after uint64) error {
	within, cancel := during(ctx, c.session)
	defer cancel()
	c.pull.stop()
	c.pull, c.fetches = nil, nil
	if err := c.ensure(within); err != nil {
		return c.lost(ctx, "make consumer "+c.cfg.Name, err)
	}
	if _, err := c.conn.js.ResetConsumerToSequence(within, Name, c.cfg.Name, after+1); err != nil {
		step := fmt.Sprintf("reset consumer %s on nats-server %s", c.cfg.Name, c.conn.nc.ConnectedServerVersion())
		return c.lost(ctx, step, err)
	}
	if _, err := c.again(within); err != nil {
		return c.lost(ctx, "look at the stream again", err)
	}
	pull, err := startPull(c.conn.nc, c.cfg.Name, after)
	if err != nil {
		return c.lost(ctx, "pull from consumer "+c.cfg.Name, err)
	}
	c.pull = pull
	return nil
}

// again returns the state of the stream that Open found. It fails if another is in
// its place: one that was made anew meanwhile, on the same connection, has a new
// consumer under the old one's name by now, which would deliver from where the old
// stream was. If it is made anew from here on, the consumer goes with the old one, and
// the next pull tells.
func (c *Consumer) again(ctx context.Context) (message.StreamState, error) {
	s, err := c.conn.js.Stream(ctx, Name)
	if err != nil {
		return message.StreamState{}, err
	}
	now := state(s.CachedInfo())
	if now.ID != c.id {
		return now, fmt.Errorf("%w: %s, not %s", ErrAnotherStream, now.ID, c.id)
	}
	return now, nil
}

// ensure makes the durable consumer, or updates one that is not as it should be.
// One that is is left alone, for the reason that Conn.Ensure gives.
func (c *Consumer) ensure(ctx context.Context) error {
	consumer, err := c.conn.js.Consumer(ctx, Name, c.cfg.Name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		_, err = c.conn.js.CreateConsumer(ctx, Name, c.over(jetstream.ConsumerConfig{}))
	case err == nil:
		current := consumer.CachedInfo().Config
		if want := c.over(current); !reflect.DeepEqual(current, want) {
			_, err = c.conn.js.UpdateConsumer(ctx, Name, want)
		}
	}
	return err
}

// over returns a consumer configuration that is right for a writer and keeps
// what a writer does not care about.
func (c *Consumer) over(cfg jetstream.ConsumerConfig) jetstream.ConsumerConfig {
	cfg.Durable = c.cfg.Name
	cfg.Description = "a sluice writer"
	cfg.DeliverPolicy = jetstream.DeliverAllPolicy // Begin says from where
	cfg.AckPolicy = jetstream.AckAllPolicy
	cfg.AckWait = ackWait
	cfg.MaxDeliver = -1
	cfg.MaxAckPending = -1 // the writer's own lag bounds it
	cfg.InactiveThreshold = c.cfg.InactiveThreshold
	return cfg
}

// Fetch waits for entries and returns them in ascending order of sequence: at
// least one, then whatever comes until there are max of them, maxAge has passed
// since the first, or ctx has ended. Since Begin no entry comes twice and none
// is left out: a jump in their sequences is a hole in the stream. When ctx ends
// before the first, its error is returned and nothing is lost.
func (c *Consumer) Fetch(ctx context.Context, max int, maxAge time.Duration) ([]message.Entry, error) {
	if c.pull == nil || c.session.Err() != nil {
		return nil, c.lost(ctx, "fetch", errors.New("the session has ended"))
	}
	within, cancel := during(ctx, c.session)
	defer cancel()
	first, err := c.pull.next(within)
	if err != nil {
		return nil, c.lost(ctx, "fetch", err)
	}
	entries, ack := []message.Entry{first.entry}, first.ack

	soon, cancel := context.WithTimeout(within, maxAge)
	defer cancel()
	for len(entries) < max {
		d, err := c.pull.next(soon)
		if err != nil && soon.Err() != nil && c.session.Err() == nil {
			break // maxAge, or the caller's end: what came is the caller's all the same
		}
		if err != nil {
			return nil, c.lost(ctx, "fetch", err)
		}
		entries, ack = append(entries, d.entry), d.ack
	}
	c.fetches = append(c.fetches, ackPoint{c.pull.last, ack})
	return entries, nil
}

// Ack tells the stream that every entry up to seq is kept for good and may be
// trimmed one day. It counts in whole Fetches: one that ends behind seq is left
// for the next Ack.
func (c *Consumer) Ack(ctx context.Context, seq uint64) error {
	n := 0
	for n < len(c.fetches) && c.fetches[n].seq <= seq {
		n++
	}
	if n == 0 {
		return nil
	}
	within, cancel := during(ctx, c.session)
	defer cancel()
	within, cancel2 := context.WithTimeout(within, requestTimeout)
	defer cancel2()
	if _, err := c.conn.nc.RequestWithContext(within, c.fetches[n-1].subject, []byte("+ACK")); err != nil {
		return c.lost(ctx, "acknowledge", err)
	}
	c.fetches = append(c.fetches[:0], c.fetches[n:]...)
	return nil
}

// Publish gives the stream back an entry that it has lost. A sequence it gets
// anew; an id inside the dedup window is left out.
func (c *Consumer) Publish(ctx context.Context, e message.Entry) error {
	msg, err := newMsg(e)
	if err != nil {
		return err
	}
	within, cancel := during(ctx, c.session)
	defer cancel()
	within, cancel2 := context.WithTimeout(within, requestTimeout)
	defer cancel2()
	answer, err := c.conn.nc.RequestMsgWithContext(within, msg)
	if err != nil {
		return c.lost(ctx, "give an entry back", err)
	}
	if _, err := parseAck(answer); err != nil {
		return fmt.Errorf("give an entry back: %w", err)
	}
	return nil
}
