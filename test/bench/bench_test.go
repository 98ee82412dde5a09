package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

func TestMain(m *testing.M) {
	serveWhenAsked()
	harness.Main(m)
}

// smoke sizes are enough to go through everything once, too little to tell
// anything about speed.
var smoke = sizes{
	rows:        4000,
	runs:        1,
	duration:    20 * time.Millisecond,
	connections: []int{1, 64},
	queries:     2,
	burst:       2000,
	entries:     2000,
}

// Every part measures something, and a document is made of it. Nothing is said
// about how fast anything is: `make bench` compares that.
func TestSmoke(t *testing.T) {
	found := reportSet{}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			found[p.name] = measured(t, p, smoke, "test")
			for _, table := range found[p.name].Tables {
				if len(table.Rows) == 0 {
					t.Errorf("%s is empty", table.Title)
				}
				for _, row := range table.Rows {
					if len(row) != len(table.Head) {
						t.Errorf("%s: %d cells under %d heads", table.Title, len(row), len(table.Head))
					}
				}
			}
			for _, r := range found[p.name].Ratios {
				if !(r.Value > 0) {
					t.Errorf("%s is %v", r.Name, r.Value)
				}
			}
		})
	}
	if t.Failed() {
		return
	}
	docs := reports{dir: t.TempDir()}
	if err := docs.write(found); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(docs.dir, "BENCHMARKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if !strings.Contains(string(page), "\n## "+p.title+"\n") {
			t.Errorf("the document has no section %q", p.title)
		}
		for _, plot := range found[p.name].Plots {
			svg, err := os.ReadFile(filepath.Join(docs.dir, plot.path()))
			if err != nil || !bytes.HasPrefix(svg, []byte("<svg")) {
				t.Errorf("%s: %v, %.20q", plot.path(), err, svg)
			}
		}
	}
	again, err := docs.read()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.compare(found, t.Output()); err != nil {
		t.Errorf("compared with itself: %v", err)
	}
}

func TestCompare_findsWhatBecameWorse(t *testing.T) {
	with := func(value float64) reportSet {
		return reportSet{"ingest": {Ratios: []ratio{{Name: "a / b", Value: value, Target: 0.5}}}}
	}
	for _, c := range []struct {
		before, now reportSet
		want        error
	}{
		{with(0.6), with(0.6), nil},
		{with(0.6), with(0.5), nil}, // chance
		{with(0.6), with(0.4), errRegression},
		{with(0.4), with(0.6), nil},
		{reportSet{}, with(0.1), nil},
		{with(0.6), reportSet{}, nil},
	} {
		if err := c.now.compare(c.before, t.Output()); !errors.Is(err, c.want) {
			t.Errorf("%v after %v: %v, want %v", c.now, c.before, err, c.want)
		}
	}
}

func TestChoose_refusesWhatThereIsNot(t *testing.T) {
	chosen, err := choose("start,ingest")
	if err != nil || len(chosen) != 2 || chosen[0].name != "start" || chosen[1].name != "ingest" {
		t.Errorf("got %v, %v", chosen, err)
	}
	if _, err := choose("ingest,other"); err == nil {
		t.Error("a part that there is not was taken")
	}
}

func TestAsTest_endsWithWhatWasWrong(t *testing.T) {
	var order []string
	err := asTest(t.Context(), t.TempDir(), t.Output(), func(p *program) {
		p.Cleanup(func() { order = append(order, "first") })
		p.Cleanup(func() { order = append(order, "second") })
		if err := os.WriteFile(filepath.Join(p.TempDir(), "file"), nil, 0o644); err != nil {
			p.Fatal(err)
		}
		p.Errorf("wrong %d", 1)
		p.Fatal("wrong 2")
		order = append(order, "never")
	})
	if err == nil || err.Error() != "wrong 1\nwrong 2" {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(order, []string{"second", "first"}) {
		t.Errorf("cleaned up in the order %q", order)
	}
}

// What the queries expect of totals rests on this.
func TestTraffic_isWhatItSays(t *testing.T) {
	const n = 1000
	for _, tr := range traffics {
		ids, heavy, some, half := map[string]bool{}, uint64(0), uint64(0), uint64(0)
		for i := range uint64(n) {
			m, again := tr.message(i), tr.message(i)
			if errs := m.Validate(); errs != nil || !m.SameContent(&again) {
				t.Fatalf("%s, message %d: %v, or it differs from itself", tr.name, i, errs)
			}
			ids[m.ID] = true
			for count, is := range map[*uint64]bool{
				&heavy: m.From == heavySender, &some: strings.Contains(*m.Text, someTerm), &half: strings.Contains(*m.Text, halfTerm),
			} {
				if is {
					*count++
				}
			}
		}
		if tr.repeated > 0 {
			if len(ids) != n-n/int(tr.repeated) {
				t.Errorf("%s: %d ids", tr.name, len(ids))
			}
			continue
		}
		if len(ids) != n || heavy != among(n, heavyEvery) || some != among(n, someEvery) || half != among(n, halfEvery) {
			t.Errorf("%s: %d ids, %d of the heavy sender, %d and %d with the terms", tr.name, len(ids), heavy, some, half)
		}
	}
	ordered := traffic{ids: load.AscendingIDs}
	if a, b := ordered.message(1), ordered.message(2); a.ID >= b.ID || a.TS >= b.TS {
		t.Errorf("%q %q come before %q %q", a.ID, a.TS, b.ID, b.TS)
	}
}

func TestCurve_cutsTheWayIntoEqualParts(t *testing.T) {
	start := time.Unix(0, 0)
	c := curveOf(randomTraffic, []progress{
		{start, 0, 0},
		{start.Add(time.Second), 1000, time.Second / 2}, // the first half at 1000/s
		{start.Add(3 * time.Second), 2000, 3 * time.Second / 2},
	})
	const near = 1e-6
	if d := c.overall - 2000.0/3; d > near || d < -near {
		t.Errorf("overall %v", c.overall)
	}
	for i, rate := range c.rate {
		want, processor := 1000.0, 500.0
		if i >= curveParts/2 {
			want, processor = 500, 1000
		}
		if d := rate - want; d > near || d < -near || c.processor[i] != processor {
			t.Errorf("part %d: %v/s, %v µs", i, rate, c.processor[i])
		}
	}
}
