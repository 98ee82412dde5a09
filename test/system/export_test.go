package system

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sluice/test/harness"
)

func TestExports_giveEveryMatchInOrder(t *testing.T) {
	t.Parallel()
	p := start(t)
	all := numbered("m", 130) // more than a page
	for i := range all {
		all[i].Text = []*string{nil, all[i].Text}[i%2]
	}
	formula := `=HYPERLINK("http://x")`
	all[7].Text = &formula
	p.Post(all...)

	lines := strings.Split(strings.TrimSuffix(string(p.Get("/messages.ndjson").Body), "\n"), "\n")
	if len(lines) != len(all) {
		t.Fatalf("%d lines of %d", len(lines), len(all))
	}
	for i, line := range lines {
		var row harness.Row
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if got := messageOf(row); !got.SameContent(&all[i]) || row.Seq != uint64(i+1) || row.Source != "plain" || row.CreatedAt == "" {
			t.Errorf("line %d: %+v", i, row)
		}
	}

	res := p.Get("/messages.csv?since=2025-01-15T00:00:05Z&until=2025-01-15T00:01:00Z&q=h&order=desc")
	rows, err := csv.NewReader(strings.NewReader(string(res.Body))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, row := range rows[1:] {
		got = append(got, row[0])
	}
	for _, m := range all[5:60] {
		if m.Text != nil {
			want = append([]string{m.ID}, want...)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if i := slices.Index(got, all[7].ID); i < 0 || rows[i+1][4] != "'"+formula {
		t.Errorf("the formula is told as %q", rows[i+1][4])
	}
}
