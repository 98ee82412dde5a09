package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// probeSubject is not under webhooks.>
const probeSubject = "webhooks_probe"

// Probe makes an empty stream configured like the real one, but for its name and
// limit, has f look at it, and deletes it. publish returns once the server has
// acknowledged the bytes.
func (c *Conn) Probe(ctx context.Context, name string, maxBytes int64, f func(stream string, publish func(data []byte) error) error) error {
	cfg := Config{MaxBytes: maxBytes}.over(jetstream.StreamConfig{})
	cfg.Name, cfg.Description, cfg.Subjects = name, "looks at the server's files", []string{probeSubject}
	err := c.js.DeleteStream(ctx, name) // an attempt that failed may have left it
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("delete stream %s: %w", name, err)
	}
	if _, err := c.js.CreateStream(ctx, cfg); err != nil {
		return fmt.Errorf("make stream %s: %w", name, err)
	}
	found := f(name, func(data []byte) error {
		_, err := c.js.Publish(ctx, probeSubject, data)
		return err
	})
	if err := c.js.DeleteStream(ctx, name); err != nil {
		return errors.Join(found, fmt.Errorf("delete stream %s: %w", name, err))
	}
	return found
}
