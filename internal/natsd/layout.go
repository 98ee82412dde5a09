package natsd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// ErrLayout means that a Barrier would promise too much: the server does not
// keep entries the way the barrier makes durable, or this system's sync is not
// known to mean what it must. Start it with SyncAlways instead.
var ErrLayout = errors.New("the stream's files are not laid out as a shared sync needs")

// probes bounds the entries that CheckLayout publishes; their size fills the
// blocks of a stream of ProbeStreamBytes twice over.
const probes = 4

// ProbeStream is the name of the stream that CheckLayout wants. Start removes what
// an earlier process has left of it.
const ProbeStream = "LAYOUT_PROBE"

// ProbeStreamBytes is that stream's limit. nats-server then makes blocks of 32 kB (stream.go, autoTuneFileStorageBlockSize), so that
// one is full at once.
const ProbeStreamBytes = 120_000

// CheckLayout proves on an empty, throw-away stream that when publish returns,
// acknowledged, the bytes stand at the end of the tail block's file, and that a
// block that is full is followed by the next number. publish must be given a
// stream configured like the real one but for its limit.
func (s *Server) CheckLayout(stream string, publish func(data []byte) error) error {
	if !barrierSupported {
		return fmt.Errorf("%w: not on this system", ErrLayout)
	}
	dir := messagesDir(s.opts.StoreDir, stream)
	before, err := lookAtTail(dir)
	if err != nil {
		return err
	}
	first := before.index
	for n := range probes {
		data := probe(n)
		if err := publish(data); err != nil {
			return fmt.Errorf("publish a probe: %w", err)
		}
		after, err := lookAtTail(dir)
		if err != nil {
			return err
		}
		if err := grew(before, after, data); err != nil {
			return fmt.Errorf("%w: probe %d: %w", ErrLayout, n+1, err)
		}
		before = after
	}
	if before.index == first {
		return fmt.Errorf("%w: no block was ever full", ErrLayout)
	}
	return nil
}

// probe is a payload that is found nowhere else.
func probe(n int) []byte {
	return fmt.Appendf(bytes.Repeat([]byte("probe "), 20_000/6), "%d", n)
}

// tailLook is what the tail block was at one moment.
type tailLook struct {
	index uint64
	bytes []byte
}

func lookAtTail(dir string) (tailLook, error) {
	indexes, err := blocks(dir)
	if errors.Is(err, os.ErrNotExist) {
		return tailLook{}, fmt.Errorf("%w: there is no %s", ErrLayout, dir)
	}
	if err != nil {
		return tailLook{}, err
	}
	if len(indexes) == 0 {
		return tailLook{}, nil
	}
	look := tailLook{index: indexes[len(indexes)-1]}
	look.bytes, err = os.ReadFile(blockPath(dir, look.index))
	return look, err
}

// grew says what is wrong with the way data came into the tail, nil when nothing.
func grew(before, after tailLook, data []byte) error {
	switch after.index {
	case before.index:
		if !bytes.HasPrefix(after.bytes, before.bytes) {
			return errors.New("the block was rewritten")
		}
		after.bytes = after.bytes[len(before.bytes):]
	case before.index + 1:
	default:
		return fmt.Errorf("block %d follows block %d", after.index, before.index)
	}
	if !bytes.Contains(after.bytes, data) {
		return errors.New("it is not in the tail block's file")
	}
	return nil
}
