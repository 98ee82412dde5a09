package operator

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// freeGuesses is how often an address may guess wrong at once.
const freeGuesses = 10

// GuessEvery is how long it waits for each further guess.
const GuessEvery = 6 * time.Second

// maxGuessers bounds the addresses that are remembered.
const maxGuessers = 4096

// guesses counts the wrong tokens by network: an IPv4 address, or the 64 bits of
// an IPv6 address that one customer of a provider has to choose from.
type guesses struct {
	mu   sync.Mutex
	from map[netip.Prefix]*rate.Limiter
}

// spent reports whether a network has to wait before its next guess.
func (g *guesses) spent(from netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.from[network(from)]
	return l != nil && l.TokensAt(now) < 1
}

// count takes a wrong guess.
func (g *guesses) count(from netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := network(from)
	l := g.from[n]
	if l == nil {
		g.makeRoom(now)
		l = rate.NewLimiter(rate.Every(GuessEvery), freeGuesses)
		g.from[n] = l
	}
	l.AllowN(now, 1)
}

// makeRoom forgets the networks that have waited long enough; when all have been
// busy, all of them.
func (g *guesses) makeRoom(now time.Time) {
	if g.from == nil {
		g.from = map[netip.Prefix]*rate.Limiter{}
	}
	if len(g.from) < maxGuessers {
		return
	}
	for n, l := range g.from {
		if l.TokensAt(now) >= freeGuesses {
			delete(g.from, n)
		}
	}
	if len(g.from) >= maxGuessers {
		clear(g.from)
	}
}

func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // of no address: none, which is one network too
	return p
}
