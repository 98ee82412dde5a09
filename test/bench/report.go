package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// report is what one part found. It is kept as JSON beside the document, so that
// parts can be measured one by one and compared with the time before.
type report struct {
	Command  string  `json:"command"`
	Machine  string  `json:"machine"`
	Measured string  `json:"measured"`
	Mode     string  `json:"mode"` // durability and whatever else decides about the figures
	Notes    string  `json:"notes,omitempty"`
	Tables   []table `json:"tables"`
	Plots    []plot  `json:"plots,omitempty"`
	Ratios   []ratio `json:"ratios,omitempty"`
}

// table is figures to be read.
type table struct {
	Title string     `json:"title"`
	Head  []string   `json:"head"`
	Rows  [][]string `json:"rows"`
}

func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.Rows = append(t.Rows, row)
}

// ratio is a claim: two figures of one run, one divided by the other, and what it
// should be at least.
type ratio struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Target float64 `json:"target,omitempty"` // 0 for none
}

// reportSet holds the parts' reports by name.
type reportSet map[string]*report

func (s reportSet) clone() reportSet { return maps.Clone(s) }

// tolerated is how much of a ratio may be lost to chance. Ratios of runs one
// after the other vary by a tenth on a quiet machine.
const tolerated = 0.25

var errRegression = errors.New("ratios are worse than they were")

// compare tells each ratio beside the one before and fails when one has become
// worse. Ratios that are new have nothing to be compared with.
func (s reportSet) compare(before reportSet, out io.Writer) error {
	worse := false
	for _, p := range parts {
		r := s[p.name]
		if r == nil {
			continue
		}
		for _, now := range r.Ratios {
			line := fmt.Sprintf("%s: %.2f", now.Name, now.Value)
			if now.Target > 0 {
				line += fmt.Sprintf(", target %.2f", now.Target)
			}
			if old, ok := before.ratio(p.name, now.Name); ok {
				line += fmt.Sprintf(", before %.2f", old.Value)
				if now.Value < old.Value*(1-tolerated) {
					line, worse = line+": WORSE", true
				}
			}
			fmt.Fprintln(out, line)
		}
	}
	if worse {
		return errRegression
	}
	return nil
}

func (s reportSet) ratio(part, name string) (ratio, bool) {
	if s[part] == nil {
		return ratio{}, false
	}
	i := slices.IndexFunc(s[part].Ratios, func(r ratio) bool { return r.Name == name })
	if i < 0 {
		return ratio{}, false
	}
	return s[part].Ratios[i], true
}

// reports keeps a reportSet and the documents made of it.
type reports struct{ dir string }

func (d reports) figures() string { return filepath.Join(d.dir, "benchmarks", "figures.json") }

func (d reports) read() (reportSet, error) {
	set := reportSet{}
	b, err := os.ReadFile(d.figures())
	if errors.Is(err, fs.ErrNotExist) {
		return set, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("%s: %w", d.figures(), err)
	}
	return set, nil
}

func (d reports) write(set reportSet) error {
	if err := os.MkdirAll(filepath.Dir(d.figures()), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(set, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.figures(), append(b, '\n'), 0o644); err != nil {
		return err
	}
	for name, r := range set {
		for i := range r.Plots {
			svg, err := r.Plots[i].svg()
			if err != nil {
				return fmt.Errorf("plot %s: %w", name, err)
			}
			if err := os.WriteFile(filepath.Join(d.dir, filepath.FromSlash(r.Plots[i].path())), svg, 0o644); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(d.dir, "BENCHMARKS.md"), set.markdown(), 0o644)
}
