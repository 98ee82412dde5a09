// Package load posts signed, unique messages to an api over many keep-alive
// connections and tells what became of them. It is deterministic: a seed and a
// number give the same message each time, so a test knows from the numbers alone
// what must be in the database. It costs little, as it shares the machine with
// what it measures.
package load

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"sluice/pkg/message"
)

// IDs is how message ids follow one another, which decides where a database puts
// them in its index.
type IDs int

const (
	RandomIDs    IDs = iota // all over the index, like random UUIDs
	AscendingIDs            // always at its end, like ULIDs
)

// Payload describes messages by the distributions of their fields. Message n is
// always the same for the same Payload.
type Payload struct {
	Seed    uint64        // makes messages of two runs differ
	IDs     IDs           // default RandomIDs
	Senders int           // distinct senders, each as frequent as another, default 1000
	Start   time.Time     // of the earliest message, default 2025-01-15T10:00:00Z
	Spread  time.Duration // over which timestamps lie at random, default one hour
	Text    int           // most characters of a text, default 160; one in 16 messages has none
	Padding int           // four-byte characters behind each text, which fill blocks of the stream; Text and Padding together at most 4080
}

// WithDefaults returns p with the defaults in place of zero values.
func (p Payload) WithDefaults() Payload {
	if p.Senders == 0 {
		p.Senders = 1000
	}
	if p.Start.IsZero() {
		p.Start = time.Date(2025, 1, 15, 10, 0, 0, 0, time.UTC)
	}
	if p.Spread == 0 {
		p.Spread = time.Hour
	}
	if p.Text == 0 {
		p.Text = 160
	}
	return p
}

// Message returns message n of p, which must have its defaults.
func (p Payload) Message(n uint64) message.Message {
	rng := rand.New(rand.NewPCG(p.Seed, n))
	m := message.Message{
		ID:   p.ID(n),
		From: msisdn(4_917_000_000_000, rng.IntN(p.Senders)),
		To:   msisdn(14_045_550_000, rng.IntN(10)),
		TS:   timestamp(p.Start.Add(time.Duration(rng.Int64N(int64(p.Spread)))), rng.IntN(4)),
	}
	if rng.IntN(16) > 0 {
		text := sentence(rng, 1+rng.IntN(p.Text)) + strings.Repeat("🎉", p.Padding)
		m.Text = &text
	}
	return m
}

// ID returns the id of message n, which is cheaper than the message.
func (p Payload) ID(n uint64) string {
	if p.IDs == AscendingIDs {
		return "m" + strconv.FormatUint(1_000_000_000_000+n, 10) + "." + strconv.FormatUint(p.Seed, 36)
	}
	var b [16]byte
	rng := rand.NewPCG(n, p.Seed)
	for i := range 2 {
		u := rng.Uint64()
		for j := range 8 {
			b[8*i+j] = byte(u >> (8 * j))
		}
	}
	return hex.EncodeToString(b[:])
}

func msisdn(base, n int) string { return "+" + strconv.Itoa(base+n) }

// timestamp writes t with 0, 3, 6 or 9 fraction digits, as senders differ.
func timestamp(t time.Time, thousands int) string {
	return t.UTC().Format([]string{
		"2006-01-02T15:04:05Z",
		"2006-01-02T15:04:05.000Z",
		"2006-01-02T15:04:05.000000Z",
		"2006-01-02T15:04:05.000000000Z",
	}[thousands])
}

var words = strings.Fields("hello order 4711 shipped Grüße tomorrow thanks パッケージ arrived " +
	"at the door 🎉 please call back 100% sure under_score invoice paid \"quoted\" line\\end привет")

// sentence returns words up to about so many characters.
func sentence(rng *rand.Rand, characters int) string {
	var b strings.Builder
	for count := 0; count < characters; {
		w := words[rng.IntN(len(words))]
		if count > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		count += 1 + len([]rune(w))
	}
	return b.String()
}
