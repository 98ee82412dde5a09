package query

import (
	"context"

	"sluice/pkg/message"
)

// ExportQuery is a question for every message that a filter selects.
type ExportQuery struct {
	message.Filter
	Descending bool
	AfterSeq   uint64 // wait until this sequence has been applied, 0 for none beside one's own
}

// exportRows bounds a stretch of an export, and with it the memory of one and the
// time for which it keeps the database's log from being checkpointed.
const exportRows = 500

// Export is a walk through all messages that a filter selects, as of the moment at
// which it began: those that came later are left out. It reads the database in
// short stretches and holds nothing open between them, so a reader may take all
// the time it likes.
type Export struct {
	service *Service
	request message.StretchRequest
	started bool
	done    bool
	applied uint64 // the checkpoint's sequence at the beginning
}

// Export returns a walk, as ParseExport understood the question. It has found its
// first records by then.
func (s *Service) Export(ctx context.Context, q ExportQuery) (e *Export, first []message.Record, err error) {
	waiting, cancel := s.begin(ctx, q.AfterSeq)
	defer cancel()
	e = &Export{service: s, request: message.StretchRequest{Filter: q.Filter, Descending: q.Descending, Limit: exportRows}}
	first, err = e.stretch(waiting)
	return e, first, err
}

// Next returns further records, none at the end. The records are the caller's.
func (e *Export) Next(ctx context.Context) ([]message.Record, error) {
	for !e.done {
		within, cancel := context.WithTimeout(ctx, e.service.timeout)
		records, err := e.stretch(within)
		cancel()
		if err != nil || len(records) > 0 {
			return records, err
		}
	}
	return nil, nil
}

// Applied returns the sequence up to which the export tells what was accepted.
func (e *Export) Applied() uint64 { return e.applied }

func (e *Export) stretch(ctx context.Context) ([]message.Record, error) {
	stretch, err := e.service.reader.Stretch(ctx, e.request)
	if err != nil {
		return nil, explain(ctx, err)
	}
	if !e.started {
		e.started, e.applied = true, stretch.Applied
	}
	e.request.After, e.done = stretch.Next, stretch.Next == nil
	kept := stretch.Records[:0]
	for _, r := range stretch.Records {
		if r.Seq <= e.applied {
			kept = append(kept, r)
		}
	}
	return kept, nil
}
