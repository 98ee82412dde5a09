package main

import (
	"strconv"
	"time"

	"sluice/internal/tracing"
	"sluice/pkg/message"
)

// tracedEntries returns what makes a span of each entry whose delivery was traced: from
// the beginning of its transaction to the end. The time since the api's span is what it
// waited.
func tracedEntries(t *tracing.Tracer) func(entries []message.Entry, began, ended time.Time) {
	if t == nil {
		return nil
	}
	return func(entries []message.Entry, began, ended time.Time) {
		for i := range entries {
			e := &entries[i]
			if e.Trace == "" {
				continue
			}
			span := t.Start(tracing.Consumer, "apply webhooks."+e.Source, e.Trace, began)
			span.End(ended, nil, "sluice.sequence", strconv.FormatUint(e.Seq, 10), "sluice.request_id", e.RequestID)
		}
	}
}
