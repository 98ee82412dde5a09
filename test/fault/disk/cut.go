//go:build linux

package disk

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Fate is what a power cut does to all that was not synced.
type Fate int

// The fates of unsynced writes and names.
const (
	// Lost: nothing unsynced survives.
	Lost Fate = iota

	// Torn: each file keeps its unsynced writes up to some moment, and the write
	// of that moment ends at a sector. Names are those of some moment.
	Torn

	// Scattered: each sector and each change of a name survives or not, by
	// itself, as when a drive writes its cache in an order of its own. Under the
	// rule Journal names are those of some moment.
	Scattered

	fates = 3
)

// FateOf picks a fate by seed, each as often as the others.
func FateOf(seed uint64) Fate { return Fate(seed % fates) }

func (f Fate) String() string {
	return [fates]string{"lost", "torn", "scattered"}[f]
}

// Loss tells what was at stake in a power cut, for diagnosis.
type Loss struct {
	Fate   Fate
	Writes int // unsynced, of files that were still there
	Bytes  int // in these writes
	Names  int // unsynced changes
}

func (l Loss) String() string {
	return fmt.Sprintf("%s: %d writes with %d bytes and %d changes of names were not synced", l.Fate, l.Writes, l.Bytes, l.Names)
}

// powerOff ends the volume and returns what is on the platters afterwards.
func (v *volume) powerOff(fate Fate, seed uint64) (*volume, Loss) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cut = true

	s := survivor{
		volume: newVolume(v.rule, v.syncDelay),
		rng:    rand.New(rand.NewPCG(seed, uint64(fate))),
		loss:   Loss{Fate: fate, Names: len(v.unsynced)},
		copies: map[*inode]*inode{},
	}
	v.surviveNames(fate, s.rng)
	s.copies[v.root] = s.volume.root
	s.fillDir(v.root)
	return s.volume, s.loss
}

func (v *volume) surviveNames(fate Fate, rng *rand.Rand) {
	switch {
	case fate == Lost:
	case fate == Torn || v.rule == Journal:
		for _, c := range v.unsynced[:rng.IntN(len(v.unsynced)+1)] {
			c.commit(nil)
		}
	default:
		keep := rng.Float64()
		for _, c := range v.unsynced {
			if rng.Float64() < keep {
				c.commit(nil)
			}
		}
	}
}

// survivor copies what can be reached on the platters into a new volume, where
// all of it is durable.
type survivor struct {
	volume *volume
	rng    *rand.Rand
	loss   Loss
	copies map[*inode]*inode
}

// fillDir copies what old holds. It goes by name, so that a seed gives the same
// disk each time.
func (s *survivor) fillDir(old *inode) {
	dir := s.copies[old]
	for _, name := range slices.Sorted(maps.Keys(old.names.durable)) {
		child := old.names.durable[name].to
		if child == nil {
			continue
		}
		known := s.copies[child] != nil
		if known && child.isDir() {
			continue // half a rename kept: a directory has one name only
		}
		if !known {
			s.copies[child] = s.copy(child)
		}
		n := s.copies[child]
		dir.names.seen[name] = n
		dir.names.durable[name] = entry{to: n}
		n.places[place{dir, name}] = struct{}{}
		if child.isDir() {
			s.fillDir(child)
		}
	}
}

func (s *survivor) copy(old *inode) *inode {
	n := s.volume.newInode(old.mode)
	n.mtime, n.target = old.mtime, old.target
	s.loss.Writes += len(old.data.unsynced)
	s.loss.Bytes += old.data.unsyncedBytes()
	n.data.durable = old.data.survive(s.loss.Fate, s.rng)
	n.data.seen = slices.Clone(n.data.durable)
	return n
}
