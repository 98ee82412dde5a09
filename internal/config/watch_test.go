package config_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/config"
)

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var applied, warned []string
		var mu sync.Mutex
		found, loadErr := "a", error(nil)
		set := func(value string, err error) {
			mu.Lock()
			defer mu.Unlock()
			found, loadErr = value, err
		}
		asked := make(chan os.Signal, 1)
		w := config.Watch[string]{
			Load: func() (string, error) {
				mu.Lock()
				defer mu.Unlock()
				return found, loadErr
			},
			Same: func(a, b string) bool { return a == b },
			Apply: func(s string) error {
				if s == "bad" {
					return errors.New("cannot be")
				}
				applied = append(applied, s)
				return nil
			},
			Every: time.Second, Asked: asked, Warn: func(err error) { warned = append(warned, err.Error()) },
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx, "a") }()
		time.Sleep(time.Millisecond) // between the ticks from now on
		after := func(value string, err error, pause time.Duration) {
			set(value, err)
			time.Sleep(pause)
			synctest.Wait()
		}
		ask := func(value string, err error) {
			set(value, err)
			asked <- syscall.SIGHUP
			synctest.Wait()
		}
		want := func(what string, wantApplied, wantWarned []string) {
			t.Helper()
			if !slices.Equal(applied, wantApplied) || !slices.Equal(warned, wantWarned) {
				t.Errorf("%s: applied %q, warned %q", what, applied, warned)
			}
			applied, warned = nil, nil
		}
		after("a", nil, 5*time.Second)
		want("nothing changed", nil, nil)
		after("b", nil, time.Second)
		want("seen once", nil, nil)
		after("b", nil, time.Second)
		want("seen twice", []string{"b"}, nil)
		after("b", nil, 5*time.Second)
		want("once is enough", nil, nil)
		after("half", nil, time.Second)
		after("", errors.New("no file"), time.Second)
		after("whole", nil, time.Second)
		want("while it is written", nil, []string{"no file"})
		after("whole", nil, time.Second)
		want("written", []string{"whole"}, nil)
		after("", errors.New("no file"), 5*time.Second)
		want("gone", nil, []string{"no file"})
		after("whole", nil, 5*time.Second)
		want("as it was", nil, nil)
		ask("c", nil)
		want("asked for", []string{"c"}, nil)
		ask("bad", nil)
		ask("bad", nil)
		want("cannot be applied", nil, []string{"cannot be"})
		ask("c", nil)
		want("as it is", nil, nil)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWatch_onlyWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan os.Signal, 1)
		applied := 0
		w := config.Watch[int]{
			Load: func() (int, error) { return 5, nil }, Same: func(a, b int) bool { return a == b },
			Apply: func(int) error { applied++; return nil }, Asked: asked, Warn: func(err error) { t.Error(err) },
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = w.Run(ctx, 1) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if applied != 0 {
			t.Error("nobody asked")
		}
		asked <- syscall.SIGHUP
		synctest.Wait()
		if applied != 1 {
			t.Errorf("applied %d times", applied)
		}
	})
}
