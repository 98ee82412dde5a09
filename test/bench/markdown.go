package main

import (
	"bytes"
	"fmt"
	"strings"
)

const preface = `# How fast it is

Made by ` + "`make bench`" + `, which drives the real programs from outside (` + "`test/bench`" + `). Times depend on the machine and on what else it does, so
each claim is a ratio of figures that alternate within one run; processor time is told where it says more than the clock. The load generator runs on
the same processors as what it measures. ` + "`make bench ROWS=10000000`" + ` is the full measurement, ` + "`make bench PARTS=ingest`" + ` one part of it;
it fails when a ratio is a quarter worse than the one in [benchmarks/figures.json](benchmarks/figures.json).
`

// markdown returns the document.
func (s reportSet) markdown() []byte {
	var b bytes.Buffer
	b.WriteString(preface)
	for _, p := range parts {
		r := s[p.name]
		if r == nil {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n`%s`, %s: %s.\n", p.title, r.Mode, r.Command, r.Measured, r.Machine)
		if len(r.Ratios) > 0 {
			r.ratioTable().markdown(&b)
		}
		for _, t := range r.Tables {
			t.markdown(&b)
		}
		for _, p := range r.Plots {
			fmt.Fprintf(&b, "\n![%s](%s)\n", p.Title, p.path())
		}
		if r.Notes != "" {
			fmt.Fprintf(&b, "\n%s\n", r.Notes)
		}
	}
	return b.Bytes()
}

func (r *report) ratioTable() *table {
	t := &table{Title: "Ratios", Head: []string{"ratio", "measured", "target"}}
	for _, x := range r.Ratios {
		target := ""
		if x.Target > 0 {
			target = fmt.Sprintf("≥ %.2f", x.Target)
		}
		t.add(x.Name, fmt.Sprintf("%.2f", x.Value), target)
	}
	return t
}

func (t *table) markdown(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n**%s**\n\n| %s |\n|%s\n", t.Title, strings.Join(t.Head, " | "), strings.Repeat("---|", len(t.Head)))
	for _, row := range t.Rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}
