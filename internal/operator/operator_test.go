package operator_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"sluice/internal/operator"
)

// clock is a time that a test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

var here = netip.MustParseAddr("192.0.2.1")

func newGuard(token string) (*operator.Guard, *clock) {
	c := &clock{time.Date(2025, 1, 15, 10, 0, 0, 0, time.UTC)}
	return operator.NewGuard(token, c.now), c
}

func TestCheck_knowsTheToken(t *testing.T) {
	g, _ := newGuard("right")
	for token, want := range map[string]error{
		"right": nil, "wrong": operator.ErrStranger, "": operator.ErrStranger, "righ": operator.ErrStranger, "right ": operator.ErrStranger,
	} {
		if err := g.Check(here, token); !errors.Is(err, want) {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestCheck_slowsGuesses(t *testing.T) {
	g, c := newGuard("right")
	guess := func(from, token string) error { return g.Check(netip.MustParseAddr(from), token) }
	wrong := 0
	for ; errors.Is(guess("2001:db8::1", "wrong"), operator.ErrStranger); wrong++ {
		if wrong > 100 {
			t.Fatal("guesses go on for ever")
		}
	}
	if wrong != 10 {
		t.Errorf("%d guesses at once", wrong)
	}
	for _, neighbour := range []string{"2001:db8::1", "2001:db8::2"} {
		if err := guess(neighbour, "right"); !errors.Is(err, operator.ErrTooManyGuesses) {
			t.Errorf("the right token from %s after many wrong ones: %v", neighbour, err)
		}
	}
	if err := guess("2001:db8:0:1::1", "right"); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
	c.Time = c.Add(time.Minute)
	for range 10 {
		if err := guess("2001:db8::1", "right"); err != nil {
			t.Fatalf("later: %v", err)
		}
	}
}

func TestCheck_forgetsWhoIsTooMany(t *testing.T) {
	g, _ := newGuard("right")
	a := netip.MustParseAddr("10.0.0.0")
	for range 10_000 {
		a = a.Next()
		if err := g.Check(a, "wrong"); !errors.Is(err, operator.ErrStranger) {
			t.Fatal(err)
		}
	}
}

func TestSession_lastsItsTimeForItsToken(t *testing.T) {
	g, c := newGuard("right")
	s := g.NewSession()
	other, _ := newGuard("other")
	same, _ := newGuard("right")
	if !g.IsSession(s) || !same.IsSession(s) || other.IsSession(s) {
		t.Error("a session is its token's, whichever process made it")
	}
	changed := []byte(s)
	changed[9] ^= 1
	for _, no := range []string{"", "right", s + "A", s[1:], string(changed)} {
		if g.IsSession(no) {
			t.Errorf("%q passes for a session", no)
		}
	}
	c.Time = c.Add(operator.SessionTime - time.Second)
	if !g.IsSession(s) {
		t.Error("it ended early")
	}
	c.Time = c.Add(time.Second)
	if g.IsSession(s) {
		t.Error("it has no end")
	}
}
