package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
)

// Status tells what an operator asks of the stream.
func (c *Conn) Status(ctx context.Context) (message.StreamStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s, err := c.js.Stream(ctx, Name)
	if err != nil {
		return message.StreamStatus{}, fmt.Errorf("look up stream %s: %w", Name, err)
	}
	st := status(s.CachedInfo())
	if st.Writers, err = writers(ctx, s); err != nil {
		return message.StreamStatus{}, err
	}
	return st, nil
}

// FirstFrom returns the first entry at or behind seq, or message.ErrNoEntry. Its
// time tells how far a writer that has applied everything before seq is behind.
func (c *Conn) FirstFrom(ctx context.Context, seq uint64) (message.Entry, error) {
	return c.entryFrom(ctx, seq)
}

// fullMargin is the room, in bytes, that a stream needs to take any entry of
// ours: a text of 4096 four-byte characters, escaped, ids and headers.
const fullMargin = 64 << 10

func status(info *jetstream.StreamInfo) message.StreamStatus {
	s := message.StreamStatus{
		StreamState: state(info),
		Messages:    info.State.Msgs,
		Missing:     uint64(info.State.NumDeleted), // trimming leaves no holes, and nothing else deletes
		Bytes:       int64(info.State.Bytes),
		MaxBytes:    max(info.Config.MaxBytes, 0),
	}
	s.Full = s.MaxBytes > 0 && s.MaxBytes-s.Bytes < fullMargin
	return s
}

// writers lists the durable consumers, by name.
func writers(ctx context.Context, s jetstream.Stream) ([]message.WriterStatus, error) {
	all, err := consumers(ctx, s)
	return durable(all), err
}

// consumers lists all consumers.
func consumers(ctx context.Context, s jetstream.Stream) (all []*jetstream.ConsumerInfo, err error) {
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		all = append(all, info)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("list the writers of %s: %w", Name, err)
	}
	return all, nil
}

// durable picks those that are a writer's, by name.
func durable(consumers []*jetstream.ConsumerInfo) []message.WriterStatus {
	all := []message.WriterStatus{}
	for _, info := range consumers {
		if info.Config.Durable != "" {
			all = append(all, message.WriterStatus{Name: info.Name, Acked: info.AckFloor.Stream})
		}
	}
	slices.SortFunc(all, func(a, b message.WriterStatus) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
