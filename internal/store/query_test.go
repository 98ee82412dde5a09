package store

import (
	"path/filepath"
	"testing"
)

func TestMessages_agreeWithAModelOnAnyRequest(t *testing.T) {
	for seed := range seeds(5) {
		g := newGenerator(seed)
		switch seed {
		case 1:
			g.instants = 4 // nearly all rows at one instant
		case 2:
			g.senders, g.recipients = 1, 1
		case 3:
			g.senders, g.instants = 40, 100000
		}
		path := filepath.Join(t.TempDir(), "app.db")
		s, r := openStore(t, tiny(path)), openReader(t, path)
		var m model
		m.stream = stream1
		m.checkAgainst(t, r, g, 5)
		for seq := uint64(1); seq < 700; {
			entries := g.entries(seq, 1+g.IntN(200))
			seq += uint64(len(entries))
			applyAll(t, s, g, stream1, entries, 100)
			m.apply(stream1, entries...)
			if g.IntN(2) == 0 {
				waitForIndex(t, s)
			}
			m.checkAgainst(t, r, g, 15)
		}
		waitForIndex(t, s)
		m.checkAgainst(t, r, g, 300)
	}
}
