package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/internal/natsd"
	"sluice/internal/stream"
)

const (
	// setUpTimeout bounds the requests that make the embedded stream.
	setUpTimeout = 30 * time.Second

	// The same on a full disk, where the server may leave requests unanswered, and
	// the pause between two attempts.
	retryTimeout  = 3 * time.Second
	retryInterval = time.Second
)

// errNotOpen is why nothing is published before the embedded stream is set up.
var errNotOpen = errors.New("it is being opened")

// fit returns nil when publishes may be let in, else why not. It answers at once.
func (in *ingestSide) fit() error {
	if err := in.server.Fit(); err != nil {
		return err
	}
	if !in.open.Load() {
		return errNotOpen
	}
	return nil
}

// ready returns nil when a publish would be taken now and, in a cluster, this node
// could stand in for another, else why not.
func (in *ingestSide) ready() error {
	if err := in.publisher.Ready(); err != nil || !in.clustered {
		return err
	}
	return in.server.CaughtUp(stream.Name)
}

// sync makes durable what the embedded server has acknowledged.
func (in *ingestSide) sync(callers int) error {
	if in.barrier == nil {
		return nil // it has synced before it acknowledged
	}
	return in.barrier.Sync(callers)
}

// setUp makes the embedded stream and what its answers wait for. It may be called
// again after an error.
func (in *ingestSide) setUp(ctx context.Context, timeout time.Duration) error {
	if err := in.server.Start(); err != nil {
		return err
	}
	if in.clustered { // the others may come later: the publisher makes the stream once they are there
		in.open.Store(true)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := in.conn.Wait(ctx); err != nil {
		return err
	}
	if _, err := in.conn.Ensure(ctx, in.cfg); err != nil {
		return err
	}
	if in.commits != nil {
		if err := in.makeDurable(ctx); err != nil {
			return err
		}
	}
	in.open.Store(true)
	return nil
}

// makeDurable makes what earlier runs wrote durable, and sets up the sync that
// answers wait for. Where the server's files do not allow for a shared one, the
// server is started again to sync each message by itself.
func (in *ingestSide) makeDurable(ctx context.Context) error {
	// The real stream exists by now: when the probe's is deleted and there is no
	// other, the server removes the folder of all streams (stream.go, stop).
	err := in.conn.Probe(ctx, natsd.ProbeStream, natsd.ProbeStreamBytes, in.server.CheckLayout)
	if errors.Is(err, natsd.ErrLayout) {
		in.log.Warn("syncing each message by itself: a shared sync would not be safe here", "reason", err)
		if err := in.server.SyncEach(); err != nil {
			return err
		}
		if err := in.server.SyncTree(); err != nil {
			return fmt.Errorf("%w: %w", errNotDurable, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if in.barrier, err = in.server.OpenBarrier(stream.Name); err != nil {
		return fmt.Errorf("%w: %w", errNotDurable, err)
	}
	return nil
}

// errNotDurable is final: after a sync that failed, another that succeeds would
// prove nothing.
var errNotDurable = errors.New("what earlier runs wrote cannot be made durable")

// keepSettingUp sets the embedded stream up when its disk was full at the start:
// again and again until there is room. It returns nil when ctx ends, and the error
// of an attempt that the disk and the server's health do not explain.
func (in *ingestSide) keepSettingUp(ctx context.Context) error {
	for !in.open.Load() {
		was := in.server.Fit()
		err := in.setUp(ctx, retryTimeout)
		if err == nil {
			in.log.Info("embedded stream is open")
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errNotDurable) || was == nil && in.server.Fit() == nil {
			return err
		}
		in.log.Warn("embedded stream cannot be opened yet", "error", err, "retry_in", retryInterval)
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
			return nil
		}
	}
	<-ctx.Done()
	return nil
}
