package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/pkg/message"
	"sluice/test/load"
)

// traffic is what senders send: entry n is always the same message.
type traffic struct {
	name     string
	ids      load.IDs
	scatter  time.Duration // timestamps lie anywhere within this before their turn; 0 for in order
	repeated uint64        // one of so many entries repeats an earlier one of any age; 0 for none
}

var randomTraffic = traffic{name: "random ids", ids: load.RandomIDs}

var traffics = []traffic{
	randomTraffic,
	{name: "ids in order", ids: load.AscendingIDs},
	{name: "timestamps over a year", ids: load.RandomIDs, scatter: 365 * 24 * time.Hour},
	{name: "a tenth late repeats", ids: load.RandomIDs, repeated: 10},
}

// What is to be found in texts and numbers.
const (
	heavySender = "+10000000000" // sends a tenth of the messages
	heavyEvery  = 10
	rareTerm    = "Ref-%08d" // of each message its own
	someTerm    = "Refund"   // in a hundredth of the texts
	someEvery   = 100
	halfTerm    = "Confirmed" // in half of the texts
	halfEvery   = 2
)

// step is the time between two messages.
const step = 11 * time.Microsecond

var epoch = time.Date(2025, 1, 15, 10, 0, 0, 0, time.UTC)

func (tr traffic) message(n uint64) message.Message {
	if tr.repeated > 0 && n%tr.repeated == tr.repeated-1 {
		n = rand.New(rand.NewPCG(n, 3)).Uint64N(n)
		if n%tr.repeated == tr.repeated-1 {
			n-- // that one is a repeat itself
		}
	}
	m := load.Payload{IDs: tr.ids, Senders: 100_000, Text: 60}.WithDefaults().Message(n)
	m.TS = tr.at(n).Format("2006-01-02T15:04:05.000000Z")
	if n%heavyEvery == 0 {
		m.From = heavySender
	}
	text := fmt.Sprintf(rareTerm, n)
	if m.Text != nil {
		text += " " + *m.Text
	}
	if n%someEvery == 0 {
		text += " " + someTerm
	}
	if n%halfEvery == 0 {
		text += " " + halfTerm
	}
	m.Text = &text
	return m
}

// at is the instant of message n.
func (tr traffic) at(n uint64) time.Time {
	at := epoch.Add(time.Duration(n) * step)
	if tr.scatter > 0 {
		at = at.Add(-time.Duration(rand.New(rand.NewPCG(n, 5)).Int64N(int64(tr.scatter))).Truncate(time.Microsecond))
	}
	return at
}

// among returns how many of the first n messages are multiples of every.
func among(n, every uint64) uint64 { return (n + every - 1) / every }
