package natsd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What Fit returns.
var (
	// ErrLowDisk means that the disk has less free space than the reserve. It
	// passes when there is room again.
	ErrLowDisk = errors.New("the disk reserve is used up")

	// ErrStuck means that the server has met an error that it does not recover
	// from by itself. Run restarts it once the disk has room.
	ErrStuck = errors.New("the embedded stream is stuck")
)

const (
	diskInterval = 20 * time.Millisecond // at 200 MB/s of new entries, 4 MB of the reserve; a look takes microseconds

	reserveShare = 20 // a twentieth of the disk
	reserveMin   = 8 << 20
	reserveMax   = 512 << 20
)

// Fit returns nil when publishes may be let in now, else ErrLowDisk or ErrStuck
// with the reason. It answers at once, from what Run last saw.
func (s *Server) Fit() error {
	if err := s.lowDisk.Load(); err != nil {
		return *err
	}
	if err := s.stuck.Load(); err != nil {
		return *err
	}
	return nil
}

// Run watches the disk and the server, for Fit, and restarts a server that is
// stuck while the disk has room. It returns nil when ctx ends.
func (s *Server) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { every(ctx, diskInterval, s.watchDisk) })
	// Apart, for a server that hangs in a write hangs this one too.
	both.Go(func() { s.watchHealth(ctx, s.healthInterval) })
	both.Wait()
	return nil
}

// every calls f now and each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, f func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		f()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// LookAtDisk returns ErrLowDisk with the figures when the disk has less free space
// than the reserve, and has Fit know. Run does so all the time.
func (s *Server) LookAtDisk() error {
	s.watchDisk()
	if err := s.lowDisk.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *Server) watchDisk() {
	free, total, err := DiskSpace(nearest(s.opts.StoreDir))
	if err != nil {
		s.log.Error("disk space is not known", "error", err)
		return
	}
	reserve := s.cfg.Reserve
	if reserve == 0 {
		reserve = defaultReserve(total)
	}
	if free < reserve {
		err = fmt.Errorf("%w: %d bytes are free, %d must be", ErrLowDisk, free, reserve)
		if was := s.lowDisk.Swap(&err); was == nil {
			s.log.Error("disk reserve is used up, publishes are refused", "free_bytes", free, "reserve_bytes", reserve)
		}
	} else if was := s.lowDisk.Swap(nil); was != nil {
		s.log.Info("disk has room again", "free_bytes", free)
	}
}

func defaultReserve(total int64) int64 {
	return min(max(total/reserveShare, reserveMin), reserveMax)
}
