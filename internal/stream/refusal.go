package stream

import (
	"context"
	"fmt"
	"time"
)

// refusal returns why the stream must not take publishes now, nil when it may.
func (p *Publisher) refusal() error {
	if p.cfg.Refuse == nil {
		return nil
	}
	if err := p.cfg.Refuse(); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// refusalInterval is what those who wait have for the server's answer once
// publishes are refused. A server that is well answers within a fraction of it.
const refusalInterval = 10 * time.Millisecond

// watchRefusal answers those who wait for the server when publishes have been
// refused for an interval: they were let in before, and a server that cannot write
// never answers them.
func (p *Publisher) watchRefusal(ctx context.Context) {
	tick := time.NewTicker(refusalInterval)
	defer tick.Stop()
	for refused := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := p.refusal()
		if err != nil && refused {
			p.failWaiting(err)
		}
		refused = err != nil
	}
}
