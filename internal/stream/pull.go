package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"sluice/pkg/message"
)

const (
	// aheadEntries is what the server sends ahead, in two requests or more.
	aheadEntries = 16384

	// aheadBytes bounds one request, so that two stay well below the 64 MB at
	// which the server cuts off a slow client (nats-server, const.go,
	// MAX_PENDING_SIZE).
	aheadBytes = 16 << 20

	// statusRoom is for what the server says of requests besides deliveries. One
	// lasts pullExpiry and brings a line each heartbeat.
	statusRoom = 1024
	pullExpiry = 30 * time.Second

	// heartbeat is how often the server speaks when there is nothing to deliver.
	// Two that stay out mean that the consumer is gone.
	heartbeat = 2 * time.Second
)

// errSilent is returned when the server has stopped to answer a pull.
var errSilent = errors.New("the consumer is silent")

// pull reads what a consumer delivers. The library's own iterator ends its
// subscription behind our back: what a consumer, reset meanwhile, still delivers
// to that one would be lost until somebody noticed. This one ends it in place,
// and counts.
type pull struct {
	nc       *nats.Conn
	requests string // the subject that asks for entries
	sub      *nats.Subscription
	msgs     chan *nats.Msg
	silence  *time.Timer

	asked     int    // entries asked for that have not come
	last      uint64 // sequence of the last entry given out, or where it began
	delivered uint64 // deliveries so far; the server counts them too
	missing   int    // heartbeats in a row that told of deliveries that have not come
}

// delivery is one entry as it was delivered.
type delivery struct {
	entry message.Entry
	ack   string // the subject that acknowledges it, and all before it
	more  uint64 // entries that the stream holds behind it
}

// startPull begins to read a consumer that has delivered nothing since it was
// made or reset to begin behind after.
func startPull(nc *nats.Conn, consumer string, after uint64) (*pull, error) {
	p := &pull{
		nc:       nc,
		requests: "$JS.API.CONSUMER.MSG.NEXT." + Name + "." + consumer,
		msgs:     make(chan *nats.Msg, aheadEntries+statusRoom),
		silence:  time.NewTimer(0),
		last:     after,
	}
	var err error
	p.sub, err = nc.ChanSubscribe(nc.NewInbox(), p.msgs)
	return p, err
}

// stop ends it. A request to the server that follows finds it gone.
func (p *pull) stop() {
	if p != nil {
		p.silence.Stop()
		_ = p.sub.Unsubscribe() // fails only without a connection
	}
}

// next waits for the next entry, in ascending order of sequence, each once. The
// server numbers its deliveries, so one that was lost on the way shows and is an
// error; a jump in the entries' own sequences is the stream's and stands.
func (p *pull) next(ctx context.Context) (delivery, error) {
	for {
		if err := p.ask(); err != nil {
			return delivery{}, err
		}
		msg, err := p.receive(ctx)
		if err != nil {
			return delivery{}, err
		}
		if msg.Reply == "" {
			if err := p.onStatus(msg); err != nil {
				return delivery{}, err
			}
			continue
		}
		meta, err := msg.Metadata()
		if err != nil {
			return delivery{}, err
		}
		if before := meta.Sequence.Consumer - 1; before != p.delivered {
			return delivery{}, p.lostSome(before)
		}
		p.asked--
		p.delivered++
		p.missing = 0
		if meta.Sequence.Stream <= p.last { // delivered again
			continue
		}
		p.last = meta.Sequence.Stream
		return delivery{
			entry: newEntry(p.last, meta.Timestamp, msg.Subject, msg.Header, msg.Data),
			ack:   msg.Reply,
			more:  meta.NumPending,
		}, nil
	}
}

func (p *pull) lostSome(delivered uint64) error {
	return fmt.Errorf("the server has delivered %d entries, %d came", delivered, p.delivered)
}

// ask asks for more entries once half of those asked for have come.
func (p *pull) ask() error {
	if p.asked > aheadEntries/2 {
		return nil
	}
	batch := aheadEntries - p.asked
	request := fmt.Appendf(nil, `{"batch":%d,"max_bytes":%d,"expires":%d,"idle_heartbeat":%d}`,
		batch, aheadBytes, pullExpiry, heartbeat)
	if err := p.nc.PublishRequest(p.requests, p.sub.Subject, request); err != nil {
		return err
	}
	p.asked += batch
	return nil
}

// receive waits for the next message, entry or status.
func (p *pull) receive(ctx context.Context) (*nats.Msg, error) {
	select {
	case msg := <-p.msgs:
		return msg, nil
	default:
	}
	p.silence.Reset(2 * heartbeat)
	select {
	case msg := <-p.msgs:
		return msg, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.silence.C:
		return nil, errSilent
	}
}

// onStatus takes what the server says of a request (ADR-37): a heartbeat, or the
// end of a request, which tells what was left of it. Anything else is the end of
// the consumer.
func (p *pull) onStatus(msg *nats.Msg) error {
	if msg.Header.Get("Status") == "100" {
		return p.onHeartbeat(msg)
	}
	left, err := strconv.Atoi(msg.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		return fmt.Errorf("the server answers a pull with %s %s", msg.Header.Get("Status"), msg.Header.Get("Description"))
	}
	p.asked = max(p.asked-left, 0)
	return nil
}

// onHeartbeat compares the server's count of deliveries with ours. A replicated
// consumer's heartbeat may be ahead of a delivery, but not twice in a row.
func (p *pull) onHeartbeat(msg *nats.Msg) error {
	delivered, err := strconv.ParseUint(msg.Header.Get("Nats-Last-Consumer"), 10, 64)
	if err != nil {
		return fmt.Errorf("read a heartbeat: %w", err)
	}
	if delivered == p.delivered {
		p.missing = 0
		return nil
	}
	if p.missing++; p.missing > 1 {
		return p.lostSome(delivered)
	}
	return nil
}
