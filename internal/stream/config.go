package stream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"sluice/pkg/message"
)

// Name is the stream's name.
const Name = "WEBHOOKS"

// subjectPrefix and a source make an entry's subject.
const subjectPrefix = "webhooks."

// Config of the stream itself.
type Config struct {
	// MaxBytes bounds what the stream keeps; at it publishes are refused,
	// nothing is dropped. 0 = no bound.
	MaxBytes int64

	// KeepMaxBytes leaves the bound of a stream that has one as it is: where several
	// processes keep one stream, each with a MaxBytes from a disk of its own.
	KeepMaxBytes bool

	// DedupWindow is how long the stream drops a repeated Nats-Msg-Id. Each id
	// inside it costs about 150 bytes of the server's memory and is read again
	// when it starts, so keep it short. At least 100 ms, 0 = 2 minutes.
	DedupWindow time.Duration

	// Replicas is how many servers of a cluster keep each entry; 0 = as many as
	// do already, 1 for a stream yet to be made.
	Replicas int
}

const (
	defaultDedupWindow = 2 * time.Minute

	// minDedupWindow is nats-server's own bound (stream.go, checkStreamCfg).
	minDedupWindow = 100 * time.Millisecond
)

// Validate says what is wrong with c, nil when nothing is.
func (c Config) Validate() error {
	if c.MaxBytes < 0 {
		return errors.New("the stream's limit is negative")
	}
	if c.DedupWindow != 0 && c.DedupWindow < minDedupWindow {
		return fmt.Errorf("the dedup window is at least %v", minDedupWindow)
	}
	if c.Replicas < 0 || c.Replicas > 5 {
		return errors.New("the stream has 1 to 5 replicas")
	}
	return nil
}

// over returns a stream configuration that says what c says and keeps what c is
// silent about.
func (c Config) over(cfg jetstream.StreamConfig) jetstream.StreamConfig {
	cfg.Name = Name
	cfg.Description = "signed webhooks, in order of acceptance"
	cfg.Subjects = []string{subjectPrefix + ">"}
	cfg.Storage = jetstream.FileStorage
	cfg.Retention = jetstream.LimitsPolicy
	cfg.Discard = jetstream.DiscardNew        // full is an error, never silent loss
	cfg.Compression = jetstream.NoCompression // it rewrites closed blocks behind the barrier's back
	cfg.MaxMsgs, cfg.MaxAge, cfg.MaxMsgsPerSubject = -1, 0, -1
	if !c.KeepMaxBytes || cfg.MaxBytes <= 0 {
		cfg.MaxBytes = -1
		if c.MaxBytes > 0 {
			cfg.MaxBytes = c.MaxBytes
		}
	}
	cfg.Duplicates = defaultDedupWindow
	if c.DedupWindow > 0 {
		cfg.Duplicates = c.DedupWindow
	}
	if c.Replicas > 0 {
		cfg.Replicas = c.Replicas
	}
	cfg.Replicas = max(cfg.Replicas, 1)
	cfg.AllowDirect = false // a follower may answer a direct read, and know less than the leader
	return cfg
}

// Ensure makes the stream as cfg says: creates it, or updates one that says
// otherwise. Entries stay, under a lower limit as well. It returns the stream's
// state.
//
// A stream that is as it should be is left alone: nats-server writes the files
// that describe it anew at each update, unsynced.
func (c *Conn) Ensure(ctx context.Context, cfg Config) (message.StreamState, error) {
	if err := cfg.Validate(); err != nil {
		return message.StreamState{}, err
	}
	s, err := c.js.Stream(ctx, Name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		s, err = c.js.CreateOrUpdateStream(ctx, cfg.over(jetstream.StreamConfig{}))
	case err == nil:
		current := s.CachedInfo().Config
		if want := cfg.over(current); !reflect.DeepEqual(current, want) {
			s, err = c.js.UpdateStream(ctx, want)
		}
	}
	if err != nil {
		return message.StreamState{}, fmt.Errorf("make stream %s: %w", Name, err)
	}
	return state(s.CachedInfo()), nil
}

// state reads a stream's state and identity. Sequences are reused in a stream
// made anew, so the time of its making is part of its identity.
func state(info *jetstream.StreamInfo) message.StreamState {
	s := message.StreamState{
		ID:    info.Config.Name + "@" + info.Created.UTC().Format(time.RFC3339Nano),
		First: info.State.FirstSeq,
		Last:  info.State.LastSeq,
	}
	if info.State.Msgs == 0 {
		s.First = s.Last + 1
	}
	return s
}
