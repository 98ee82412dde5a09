package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progressEvery is between two lines of a progress that is no bar.
const progressEvery = 5 * time.Second

// progress shows how far long work is: a bar on a terminal, plain lines on
// standard error elsewhere, JSON lines on standard output with --json.
type progress struct {
	operation *operation
	terminal  bool

	name, unit string
	began      time.Time
	bar        *progressbar.ProgressBar // nil where there is no terminal
	shown      bool                     // something of the bar
	said       time.Time                // when the last line was printed
	done       int64
	total      int64
}

func (o *operation) newProgress() *progress {
	return &progress{operation: o, terminal: !o.json && isTerminal(o.stderr)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// phase begins a piece of the work, counted in unit.
func (p *progress) phase(name, unit string) {
	p.end()
	p.name, p.unit, p.began, p.said = name, unit, time.Now(), time.Now()
	p.done, p.total = 0, 0
	if p.terminal {
		p.bar = p.newBar()
		p.bar.StartWithoutRender() // the rate counts from here, not from the first piece that is done
	}
}

// show tells how far the phase is. A total of 0 is not known.
func (p *progress) show(done, total int64) {
	p.done, p.total = done, total
	if p.terminal {
		p.showBar()
	} else if time.Since(p.said) >= progressEvery {
		p.line()
	}
}

func (p *progress) newBar() *progressbar.ProgressBar {
	return progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(p.operation.stderr), progressbar.OptionSetDescription(fmt.Sprintf("%-8s", p.name)),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(p.unit),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30))
}

func (p *progress) showBar() {
	p.shown = true
	if p.bar.GetMax64() != p.total && p.total > 0 {
		p.bar.ChangeMax64(p.total)
	}
	_ = p.bar.Set64(p.done) // a terminal that went away needs no bar
}

// end ends the phase, with a line of how long it took.
func (p *progress) end() {
	switch {
	case p.name == "":
		return
	case p.shown:
		_ = p.bar.Exit()
		fmt.Fprintln(p.operation.stderr)
	default:
		p.line()
	}
	p.name, p.bar, p.shown = "", nil, false
}

// progressLine is a progress in JSON.
type progressLine struct {
	Phase       string  `json:"phase"`
	Unit        string  `json:"unit"`
	Done        int64   `json:"done"`
	Total       int64   `json:"total,omitempty"`
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"per_second"`
	SecondsLeft float64 `json:"seconds_left,omitempty"`
}

func (p *progress) line() {
	p.said = time.Now()
	l := progressLine{Phase: p.name, Unit: p.unit, Done: p.done, Total: p.total, Seconds: time.Since(p.began).Seconds()}
	l.PerSecond = math.Round(float64(l.Done) / max(l.Seconds, 0.001))
	if l.PerSecond > 0 && l.Total > l.Done {
		l.SecondsLeft = math.Round(float64(l.Total-l.Done) / l.PerSecond)
	}
	if p.operation.json {
		_ = p.operation.print(l)
		return
	}
	of, left := "", ""
	if l.Total > 0 {
		of = fmt.Sprintf(" of %d", l.Total)
	}
	if l.SecondsLeft > 0 {
		left = fmt.Sprintf(", %.0f s left", l.SecondsLeft)
	}
	fmt.Fprintf(p.operation.stderr, "%s: %d%s %s, %.1f s, %.0f/s%s\n", l.Phase, l.Done, of, l.Unit, l.Seconds, l.PerSecond, left)
}
