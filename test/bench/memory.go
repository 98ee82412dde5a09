package main

import (
	"fmt"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

// mostResident is what an api may take for a burst while nobody reads the
// stream, in MiB.
const mostResident = 300

// measureMemory posts a burst while there is no writer and looks at what the api
// holds of it in memory.
func measureMemory(t testing.TB, s sizes) *report {
	p := harness.New(t, harness.Options{})
	startAPI(p)
	atStart, _ := resident(p.API.PID())
	g := &target{name: "fsync", addr: p.Addr, pid: p.API.PID()}
	sizes := table{Title: "The api's resident memory, MiB", Head: []string{"messages", "now", "at its peak", "accepted a second"}}
	sizes.add(0, fmt.Sprintf("%.0f", atStart), "", "")
	var peak float64
	for range 4 {
		r := g.load(t, load.Config{Connections: 64, Count: s.burst / 4})
		var now float64
		now, peak = resident(p.API.PID())
		sizes.add(g.next, fmt.Sprintf("%.0f", now), fmt.Sprintf("%.0f", peak), thousands(r.rate))
	}
	report := &report{
		Mode: "`ACK_DURABILITY=fsync`, `DEDUP_WINDOW=2m`, 64 connections, no writer. The stream's own memory of recent ids is most of what grows; it ends with the window." +
			" Requests are signed while the load runs, so the rate is below that of the section above.",
		Tables: []table{sizes},
	}
	if peak > 0 {
		report.Ratios = []ratio{{fmt.Sprintf("%d MiB / peak memory", mostResident), mostResident / peak, 1}}
	}
	return report
}
