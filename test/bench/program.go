package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
)

// program lets the harness, which is made for tests, serve a program: it is a
// testing.TB whose Fatal ends asTest with an error.
type program struct {
	testing.TB // none: what is not here is not needed
	ctx        context.Context
	dir        string
	out        io.Writer
	cleanups   []func()
	errs       []error
}

// errFatal ends a run whose reason has been noted.
type errFatal struct{}

// asTest calls f with a folder of its own below dir. What f started has ended
// and its data is removed when asTest returns.
func asTest(ctx context.Context, dir string, out io.Writer, f func(*program)) (err error) {
	own, err := os.MkdirTemp(dir, "sluice-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	t := &program{ctx: ctx, dir: own, out: out}
	defer func() { err = errors.Join(t.errs...) }()
	defer t.cleanUp()
	defer t.survive()
	f(t)
	return nil
}

func (t *program) survive() {
	reason := recover()
	if _, ours := reason.(errFatal); reason != nil && !ours {
		t.cleanUp()
		panic(reason)
	}
}

func (t *program) cleanUp() {
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		f := t.cleanups[last]
		t.cleanups = t.cleanups[:last]
		f()
	}
}

func (t *program) Helper()                    {}
func (t *program) Name() string               { return "bench" }
func (t *program) Context() context.Context   { return t.ctx }
func (t *program) Cleanup(f func())           { t.cleanups = append(t.cleanups, f) }
func (t *program) Failed() bool               { return len(t.errs) > 0 }
func (t *program) Log(args ...any)            { fmt.Fprintln(t.out, args...) }
func (t *program) Logf(f string, args ...any) { fmt.Fprintf(t.out, f+"\n", args...) }
func (t *program) Error(args ...any)          { t.errs = append(t.errs, errors.New(fmt.Sprint(args...))) }
func (t *program) Errorf(f string, args ...any) {
	t.errs = append(t.errs, fmt.Errorf(f, args...))
}

func (t *program) Fatal(args ...any) {
	t.Error(args...)
	panic(errFatal{})
}

func (t *program) Fatalf(f string, args ...any) {
	t.Errorf(f, args...)
	panic(errFatal{})
}

func (t *program) TempDir() string {
	dir, err := os.MkdirTemp(t.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
