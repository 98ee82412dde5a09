package writer

import (
	"cmp"
	"errors"
	"slices"

	"sluice/pkg/message"
)

// batch is one store transaction with the entries it was decoded from.
type batch struct {
	message.Batch
	entries []message.Entry // at least one
}

func (b *batch) first() uint64 { return b.entries[0].Seq }

func (b *batch) last() uint64 { return b.entries[len(b.entries)-1].Seq }

// origin returns what a log tells of the delivery that brought the entry at seq.
func (b *batch) origin(seq uint64) (attrs []any) {
	i, found := slices.BinarySearchFunc(b.entries, seq, func(e message.Entry, seq uint64) int { return cmp.Compare(e.Seq, seq) })
	if !found {
		return nil
	}
	if id := b.entries[i].RequestID; id != "" {
		attrs = append(attrs, "request_id", id)
	}
	if id := message.TraceID(b.entries[i].Trace); id != "" {
		attrs = append(attrs, "trace_id", id)
	}
	return attrs
}

// Decode makes a batch of entries, at least one. What cannot be decoded becomes a
// dead letter.
func Decode(streamID string, entries []message.Entry) message.Batch {
	b := decode(streamID, entries)
	return b.Batch
}

// decode is Decode that keeps the entries.
func decode(streamID string, entries []message.Entry) batch {
	b := batch{entries: entries}
	b.Records = make([]message.Record, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		m, err := message.Unmarshal(e.Data)
		if errors.Is(err, message.ErrIsStatus) {
			if err = b.addStatus(e); err == nil {
				continue
			}
		}
		if err != nil {
			b.DeadLetters = append(b.DeadLetters, deadLetter(e, err))
			continue
		}
		b.Records = append(b.Records, message.Record{
			Message:   m,
			Seq:       e.Seq,
			CreatedAt: e.AcceptedAt,
			Source:    e.Source,
			RequestID: e.RequestID,
			MsgID:     e.MsgID,
		})
	}
	b.Checkpoint = checkpointOf(streamID, &entries[len(entries)-1])
	return b
}

func (b *batch) addStatus(e *message.Entry) error {
	s, err := message.UnmarshalStatus(e.Data)
	if err == nil {
		b.Statuses = append(b.Statuses, message.StatusRecord{Status: s, Seq: e.Seq, CreatedAt: e.AcceptedAt, Source: e.Source})
	}
	return err
}

func checkpointOf(streamID string, e *message.Entry) message.Checkpoint {
	return message.Checkpoint{StreamID: streamID, Seq: e.Seq, MsgID: e.MsgID}
}

// cut takes entries off the front: as many as hold maxBytes, but at least one.
func cut(entries []message.Entry, maxBytes int) (front, rest []message.Entry) {
	size := 0
	for i := range entries {
		size += len(entries[i].Data)
		if size > maxBytes && i > 0 {
			return entries[:i], entries[i:]
		}
	}
	return entries, nil
}
