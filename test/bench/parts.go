package main

import (
	"testing"
	"time"
)

// sizes say how much is measured.
type sizes struct {
	dir         string
	rows        uint64
	runs        int
	duration    time.Duration
	connections []int
	queries     int
	burst       uint64
	entries     uint64
}

// defaultSizes take about ten minutes on two cores.
var defaultSizes = sizes{
	rows:        1_000_000,
	runs:        3,
	duration:    2 * time.Second,
	connections: []int{1, 16, 64, 256, 1024},
	queries:     1000,
	burst:       1_000_000,
	entries:     5_000_000,
}

// part is one group of figures, which can be measured without the others.
type part struct {
	name    string
	title   string
	measure func(testing.TB, sizes) *report
}

var parts = []part{
	{"ingest", "Ingest", measureIngest},
	{"deliveries", "Deliveries of many messages", measureDeliveries},
	{"memory", "A burst without a writer", measureMemory},
	{"writer", "The writer", measureWriter},
	{"rebuild", "Rebuild", measureRebuild},
	{"query", "Queries while the writer works", measureQueries},
	{"start", "Stop and start", measureStarts},
	{"cluster", "Several apis and replicas", measureClusters},
}

func partNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

func partNamed(name string) (part, bool) {
	for _, p := range parts {
		if p.name == name {
			return p, true
		}
	}
	return part{}, false
}

// measured measures a part and notes where and how.
func measured(t testing.TB, p part, s sizes, command string) *report {
	before := processorTicks()
	r := p.measure(t, s)
	r.Command = command
	r.Machine = describeMachine(t, s.dir, before)
	r.Measured = time.Now().UTC().Format("2006-01-02 15:04 UTC")
	return r
}
