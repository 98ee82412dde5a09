package ingest

import (
	"fmt"

	"sluice/internal/source"
	"sluice/pkg/message"
)

// entries returns what the stream is to hold of a delivery: its messages, its
// statuses, and what nobody could read, in this order.
func (d *Delivery) entries(c *source.Content) []message.Entry {
	name := d.Source.Name()
	all := make([]message.Entry, 0, len(c.Messages)+len(c.Statuses)+len(c.Unknown))
	add := func(msgID string, data []byte, err error) {
		if err != nil {
			panic(fmt.Sprintf("ingest: what a source reads has a payload: %v", err))
		}
		all = append(all, message.Entry{MsgID: msgID, Source: name, RequestID: d.RequestID, Trace: d.Trace, Data: data})
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		data, err := message.Marshal(m)
		add(message.MsgID(name, m.ID), data, err)
	}
	for i := range c.Statuses {
		s := &c.Statuses[i]
		data, err := message.MarshalStatus(s)
		add(s.MsgID(name), data, err)
	}
	for i := range c.Unknown {
		u := &c.Unknown[i]
		data, err := message.MarshalUnknown(u)
		add(u.MsgID(name), data, err)
	}
	return all
}
