package stream

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
)

// ackPrefix starts the acknowledgement of an entry that is new (nats-server,
// stream.go, pubAck). Everything else goes the long way.
var ackPrefix = []byte(`{"stream":"` + Name + `","seq":`)

// parseAck reads the server's answer to a publish.
func parseAck(m *nats.Msg) (message.Receipt, error) {
	if seq, ok := parseNewAck(m.Data); ok {
		return message.Receipt{Seq: seq}, nil
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" { // no responders
		return message.Receipt{}, ErrAway
	}
	var ack struct {
		Error     *jetstream.APIError `json:"error"`
		Seq       uint64              `json:"seq"`
		Duplicate bool                `json:"duplicate"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return message.Receipt{}, fmt.Errorf("read the stream's acknowledgement: %w", err)
	}
	if ack.Error != nil {
		return message.Receipt{}, publishError(ack.Error)
	}
	if ack.Seq == 0 {
		return message.Receipt{}, fmt.Errorf("the stream's acknowledgement %q has no sequence", m.Data)
	}
	return message.Receipt{Seq: ack.Seq, Duplicate: ack.Duplicate}, nil
}

func parseNewAck(data []byte) (seq uint64, ok bool) {
	digits, ok := bytes.CutPrefix(data, ackPrefix)
	if !ok || len(digits) < 2 || len(digits) > 20 || digits[len(digits)-1] != '}' {
		return 0, false
	}
	for _, c := range digits[:len(digits)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		seq = seq*10 + uint64(c-'0')
	}
	return seq, seq > 0
}

// JetStream's error codes of a publish (nats-server, server/errors.json).
const (
	codeClusterNoPeers       jetstream.ErrorCode = 10005
	codeClusterNotAvailable  jetstream.ErrorCode = 10008
	codeInsufficientResource jetstream.ErrorCode = 10023
	codeStorageExceeded      jetstream.ErrorCode = 10047
	codeStoreFailed          jetstream.ErrorCode = 10077 // DiscardNew: at MaxBytes or MaxMsgs
	codeTooManyRequests      jetstream.ErrorCode = 10167
)

// publishError turns JetStream's refusal into what a caller decides on.
func publishError(e *jetstream.APIError) error {
	kind := func() error {
		switch e.ErrorCode {
		case codeStoreFailed, codeInsufficientResource, codeStorageExceeded:
			return ErrFull
		case codeTooManyRequests:
			return ErrOverloaded
		case codeClusterNoPeers, codeClusterNotAvailable,
			jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount:
			return ErrAway
		}
		return nil
	}()
	if kind == nil {
		return fmt.Errorf("publish: %w", e)
	}
	return fmt.Errorf("%w: %s", kind, e.Description)
}
