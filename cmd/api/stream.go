package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/oklog/run"

	"sluice/internal/groupcommit"
	"sluice/internal/natsd"
	"sluice/internal/stream"
)

const (
	// maxWaitingPublishes bounds the webhooks that wait for the stream, and with
	// them how long the last of them waits.
	maxWaitingPublishes = 8192

	// clusterReplicas is how many servers of a cluster keep each entry: two of them
	// have it before it is acknowledged, and one may be lost.
	clusterReplicas = 3

	// envelopeBytes is what an entry has besides its body, which may be kept in
	// base64: headers, and what escaping adds. No field of a message is longer than
	// a few kilobytes.
	envelopeBytes = 256 << 10
)

// ingestSide is everything from the publisher to the disk.
type ingestSide struct {
	log       *slog.Logger
	conn      *stream.Conn
	publisher *stream.Publisher

	server    *natsd.Server // the embedded one, nil with an external stream
	clustered bool          // it keeps the stream together with those of other apis
	trimmer   *stream.Trimmer

	commits *groupcommit.Group // nil where the acknowledgement itself is the promise
	barrier *natsd.Barrier     // behind commits; nil where the server syncs each message itself
	cfg     stream.Config
	open    atomic.Bool // the embedded stream is set up: publishes may be let in
}

// openStream connects to the stream, and runs it in this process unless NATS_URL
// names another. One whose disk is full is set up once there is room.
func openStream(ctx context.Context, s *settings, set *metrics.Set, log *slog.Logger) (*ingestSide, error) {
	in := &ingestSide{log: log, cfg: stream.Config{MaxBytes: int64(s.StreamMaxBytes), DedupWindow: s.DedupWindow}}
	connect := in.connect
	if s.embedded() {
		connect = in.embed
	}
	if err := connect(ctx, s, set); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// connect connects to the stream of NATS_URL.
func (in *ingestSide) connect(_ context.Context, s *settings, set *metrics.Set) (err error) {
	if s.AckDurability == durabilityReplicated {
		in.cfg.Replicas = clusterReplicas
	} else {
		in.log.Warn("a 200 is worth what the external stream's acknowledgement is", "ACK_DURABILITY", s.AckDurability)
	}
	in.conn, err = stream.Connect(stream.ConnConfig{URL: string(s.NATSURL), Token: s.NATSToken, Name: "api"}, in.log)
	if err != nil {
		return err
	}
	in.trimmer = stream.NewTrimmer(in.conn, s.trimmer(), time.Now, in.log)
	return in.newPublisher(set)
}

func (in *ingestSide) newPublisher(set *metrics.Set) (err error) {
	cfg := stream.PublisherConfig{Stream: in.cfg, MaxWaiting: maxWaitingPublishes, Commit: in.commits}
	if in.server != nil {
		cfg.Refuse = in.fit
	}
	in.publisher, err = stream.NewPublisher(in.conn, cfg, set, in.log)
	return err
}

// embed runs the stream in this process.
func (in *ingestSide) embed(ctx context.Context, s *settings, set *metrics.Set) (err error) {
	if in.cfg.MaxBytes == 0 {
		if in.cfg.MaxBytes, err = natsd.DefaultStreamBytes(s.NATSStoreDir); err != nil {
			return err
		}
		in.log.Info("the stream may grow to a share of the disk", "STREAM_MAX_BYTES", in.cfg.MaxBytes)
	}
	if in.server, err = natsd.New(s.server(), in.log); err != nil {
		return err
	}
	trimmer := s.trimmer()
	trimmer.Files = in.server
	switch in.clustered = s.clustered(); {
	case in.clustered:
		in.cfg.Replicas, in.cfg.KeepMaxBytes = clusterReplicas, s.StreamMaxBytes == 0
		trimmer.Files = nil // each node keeps its own files, and loses none that another has
	case s.AckDurability == durabilityFsync:
		in.commits = groupcommit.New(groupcommit.Config{
			Commit:     in.sync,
			MaxWaiting: maxWaitingPublishes,
			Observe:    stream.ObserveCommits(set),
		})
	}
	if err := in.unlessLowDisk(in.server.Start); err != nil { // so that conn is there at once
		return err
	}
	in.conn, err = stream.Connect(stream.ConnConfig{InProcess: in.server, Token: s.NATSToken, Name: "api"}, in.log)
	if err != nil {
		return err
	}
	if err := in.newPublisher(set); err != nil {
		return err
	}
	in.trimmer = stream.NewTrimmer(in.conn, trimmer, time.Now, in.log)
	return in.unlessLowDisk(func() error { return in.setUp(ctx, setUpTimeout) })
}

// unlessLowDisk calls f unless the disk reserve is used up. An error is none when
// it is used up by then: keepSettingUp tries again.
func (in *ingestSide) unlessLowDisk(f func() error) error {
	if in.server.LookAtDisk() != nil {
		return nil
	}
	if err := f(); err != nil && (errors.Is(err, errNotDurable) || in.server.LookAtDisk() == nil) {
		return err
	}
	return nil
}

// addTo adds what runs behind the publisher, from the outside in: the publisher
// answers whom it let in before commits stop, and the server stops last.
func (in *ingestSide) addTo(group *run.Group) {
	addLoop(group, in.publisher.Run, in.publisher.Close)
	if in.commits != nil {
		addLoop(group, in.commits.Run, nil)
	}
	addLoop(group, in.trimmer.Run, nil)
	if in.server != nil {
		addLoop(group, in.keepSettingUp, nil)
		addLoop(group, in.server.Run, nil)
	}
}

// close closes what open opened. What was published is answered by now.
func (in *ingestSide) close() {
	if in.conn != nil {
		in.conn.Close()
	}
	if in.server != nil {
		in.server.Shutdown()
	}
}
