package query

import (
	"context"
	"errors"

	"sluice/pkg/message"
)

// maxDeadLetters is how many dead letters one answer lists.
const maxDeadLetters = 100

// errEnough ends a walk.
var errEnough = errors.New("enough")

// DeadLetters returns the oldest dead letters, a hundred at most, each with the
// first dataBytes of its bytes and how many it has.
func (s *Service) DeadLetters(ctx context.Context, dataBytes int) (letters []DeadLetter, err error) {
	ctx, cancel := s.begin(ctx, 0)
	defer cancel()
	err = s.reader.DeadLetters(ctx, func(d message.DeadLetter) error {
		if len(letters) == maxDeadLetters {
			return errEnough
		}
		l := DeadLetter{DeadLetter: d, Bytes: len(d.Data)}
		l.Data = append([]byte(nil), d.Data[:min(len(d.Data), dataBytes)]...) // the rest may be large
		letters = append(letters, l)
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return letters, explain(ctx, err)
}

// DeadLetter is a dead letter with the size of its bytes, of which Data may be the
// first only.
type DeadLetter struct {
	message.DeadLetter
	Bytes int
}
