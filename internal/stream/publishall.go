package stream

import (
	"context"

	"sluice/pkg/message"
)

// maxBatch bounds the entries of one PublishAll that wait for the server at the
// same time. A delivery of WhatsApp's has at most as many messages.
const maxBatch = 1000

// batch is how many entries of a PublishAll wait at the same time.
func (cfg *PublisherConfig) batch() int { return max(1, min(maxBatch, cfg.MaxWaiting/2)) }

// PublishAll is Publish for several entries, in this order: they wait for the
// server and for commits together. It returns a receipt for each, or an
// error when any of them failed: then some may be in the stream all the same, and
// a repeat completes them. However many call it, Publish keeps half of
// PublisherConfig.MaxWaiting to itself: the others take turns. It may take
// PublisherConfig.Timeout for each thousand entries.
func (p *Publisher) PublishAll(ctx context.Context, entries []message.Entry) ([]message.Receipt, error) {
	for i := range entries {
		if err := check(&entries[i]); err != nil {
			return nil, err
		}
	}
	if err := p.begin(); err != nil {
		return nil, err
	}
	defer p.inFlight.Done()

	receipts := make([]message.Receipt, len(entries))
	size := p.cfg.batch()
	for first := 0; first < len(entries); first += size {
		end := min(first+size, len(entries))
		err := p.inTurn(ctx, entries[first:end], receipts[first:end])
		p.observe(err)
		if err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

// inTurn publishes a batch once there is room for it.
func (p *Publisher) inTurn(ctx context.Context, entries []message.Entry, receipts []message.Receipt) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	select {
	case p.batches <- struct{}{}:
		defer func() { <-p.batches }()
		return p.sendAll(ctx, entries, receipts)
	case <-ctx.Done():
		if timedOut(ctx) == ErrTimeout {
			return ErrOverloaded
		}
		return ctx.Err()
	}
}

// sendAll publishes entries and waits for their answers, up to the first that is an
// error.
func (p *Publisher) sendAll(ctx context.Context, entries []message.Entry, receipts []message.Receipt) error {
	ch := make(chan answer, len(entries))
	numbers := make([]uint64, 0, len(entries))
	giveUp := func() {
		for _, number := range numbers {
			p.unwait(number)
		}
	}
	for i := range entries {
		number, err := p.publish(&entries[i], waiter{ch, i})
		numbers = append(numbers, number)
		if err != nil {
			giveUp()
			return err
		}
	}
	for range entries {
		select {
		case a := <-ch:
			if a.err != nil {
				giveUp()
				return a.err
			}
			receipts[a.place] = a.receipt
		case <-ctx.Done():
			giveUp()
			return timedOut(ctx)
		}
	}
	return nil
}
