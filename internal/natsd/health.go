package natsd

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	healthInterval = time.Second

	// After an error in the server's log its health is looked at this often, for so
	// long: it says that a write has failed a moment before its health shows it.
	alarmInterval = 5 * time.Millisecond
	alarmTime     = 200 * time.Millisecond

	// A server that stays unhealthy for so long is restarted: a stream that is being
	// made or deleted may look odd for a moment.
	patience = 3 * time.Second

	restartMax = time.Minute // between two restarts that did not help
)

// alarmed has the server's health looked at now. It never blocks.
func (s *Server) alarmed() {
	select {
	case s.alarm <- struct{}{}:
	default:
	}
}

// watchHealth looks at the server's health at each interval and after each alarm,
// and has one that stays ill restarted, until ctx ends.
func (s *Server) watchHealth(ctx context.Context, interval time.Duration) {
	var ill illness
	var alarmedUntil time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.alarm:
			alarmedUntil = time.Now().Add(alarmTime)
		case <-ctx.Done():
			return
		}
		s.lookAtHealth(&ill)
		if s.stuck.Load() == nil && time.Now().Before(alarmedUntil) {
			timer.Reset(alarmInterval)
		} else {
			timer.Reset(interval)
		}
	}
}

// illness is how long the server has been ill, and when to restart it next.
type illness struct {
	since, next time.Time
	pause       time.Duration
}

// lookAtHealth restarts the server when it has been unhealthy for a while, ever
// less often while that does not help.
func (s *Server) lookAtHealth(ill *illness) {
	err := s.health()
	if err == nil {
		if s.stuck.Swap(nil) != nil {
			s.log.Info("embedded stream is well again")
		}
		*ill = illness{}
		return
	}
	now := time.Now()
	if s.stuck.Swap(&err) == nil {
		s.log.Error("embedded stream is stuck, publishes are refused", "error", err)
		ill.since = now
	}
	if now.Sub(ill.since) < patience || now.Before(ill.next) || s.lowDisk.Load() != nil {
		return
	}
	s.log.Error("embedded stream is stuck, restarting it", "error", err)
	if err := s.Restart(); err != nil {
		s.log.Error("embedded stream did not restart", "error", err)
	}
	ill.pause = min(max(2*ill.pause, healthInterval), restartMax)
	ill.next = time.Now().Add(ill.pause)
}

// health asks the server how it is. A stream that met a write error says so here
// and nowhere else: publishes to it get no answer.
func (s *Server) health() error {
	s.mu.RLock()
	srv, stopped := s.srv, s.stopped
	s.mu.RUnlock()
	if stopped || srv == nil {
		return nil
	}
	if s.cfg.Cluster != nil {
		return clusterHealth(srv.Healthz(&server.HealthzOptions{Details: true}))
	}
	h := srv.Healthz(&server.HealthzOptions{})
	if h.Error != "" {
		return fmt.Errorf("%w: %s", ErrStuck, h.Error)
	}
	return nil
}
