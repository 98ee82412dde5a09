package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"sluice/pkg/client"
)

const (
	sendLineEvery = 5 * time.Second // between two lines of a progress that is no bar
	maxSendErrors = 20              // that are told one by one
)

// sendReport tells what becomes of the bodies. Its methods may be called by several
// goroutines.
type sendReport struct {
	stdout, stderr io.Writer
	each           bool // tell of every body that is kept

	mu      sync.Mutex
	began   time.Time
	said    time.Time
	bar     *progressbar.ProgressBar // on a terminal
	ok, bad int
	repeats int // attempts beside the first
	longest time.Duration
}

// newSendReport tells of each body where few were asked for, and how far it is
// otherwise.
func newSendReport(stdout, stderr io.Writer, asked int) *sendReport {
	r := &sendReport{stdout: stdout, stderr: stderr, each: asked > 0, began: time.Now(), said: time.Now()}
	if f, ok := stderr.(*os.File); ok && !r.each && term.IsTerminal(int(f.Fd())) {
		r.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(stderr), progressbar.OptionSetDescription("sending"),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("messages"),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSpinnerType(14))
	}
	return r
}

func (r *sendReport) kept(b sendBody, receipt client.Receipt, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ok++
	r.repeats += receipt.Attempts - 1
	r.longest = max(r.longest, took)
	if r.each {
		fmt.Fprintf(r.stdout, "%s kept at sequence %d\n", b.name, receipt.Sequence)
	}
	r.progress()
}

func (r *sendReport) failed(b sendBody, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad++
	if r.bad <= maxSendErrors {
		if r.bar != nil {
			_ = r.bar.Clear() // a terminal that went away needs no bar
		}
		fmt.Fprintf(r.stderr, "%s: %v\n", b.name, err)
	}
	r.progress()
}

func (r *sendReport) progress() {
	switch {
	case r.bar != nil:
		_ = r.bar.Add(1)
	case !r.each && time.Since(r.said) >= sendLineEvery:
		r.said = time.Now()
		fmt.Fprintln(r.stderr, r.summary())
	}
}

func (r *sendReport) summary() string {
	took := time.Since(r.began)
	return fmt.Sprintf("%d kept, %d not, %d sent again, in %v: %.0f/s, the slowest took %v",
		r.ok, r.bad, r.repeats, took.Round(time.Millisecond), float64(r.ok)/max(took.Seconds(), 0.001), r.longest.Round(time.Microsecond))
}

// end tells the sum and returns the exit code. stopped is why it ended early.
func (r *sendReport) end(stopped error) (exit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bar != nil {
		_ = r.bar.Clear()
	}
	if r.bad > maxSendErrors {
		fmt.Fprintf(r.stderr, "… and %d more\n", r.bad-maxSendErrors)
	}
	if !r.each {
		fmt.Fprintln(r.stdout, r.summary())
	}
	if stopped != nil {
		fmt.Fprintln(r.stderr, "api send: stopped early")
	}
	if r.bad > 0 || stopped != nil {
		return exitFailed
	}
	return exitDone
}
