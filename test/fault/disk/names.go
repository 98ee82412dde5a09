//go:build linux

package disk

// directory is a directory's names, twice: as running programs see them and as
// they are on the platters.
type directory struct {
	seen    map[string]*inode
	durable map[string]entry
}

// change is one step in the history of names: a create, link, rename or unlink.
type change struct {
	number uint64
	edits  []edit
}

// edit sets one name of one directory; to is nil when the name goes.
type edit struct {
	dir  *inode
	name string
	to   *inode
}

// entry is a name on the platters and the change that put it there. A name that
// went stays as an entry to nothing, so that an older change cannot bring it
// back.
type entry struct {
	to     *inode
	change uint64
}

// place is where a file has a name.
type place struct {
	dir  *inode
	name string
}

// rename makes edits that programs see at once, all together.
func (v *volume) rename(edits ...edit) {
	v.changes++
	for _, e := range edits {
		at := place{e.dir, e.name}
		if old := e.dir.names.seen[e.name]; old != nil {
			delete(old.places, at)
			delete(e.dir.names.seen, e.name)
		}
		if e.to != nil {
			e.to.places[at] = struct{}{}
			e.dir.names.seen[e.name] = e.to
		}
	}
	v.unsynced = append(v.unsynced, change{number: v.changes, edits: edits})
}

// syncNames puts on the platters what the rule says that a sync of n does to
// names, as far as they were changed up to mark.
func (v *volume) syncNames(n *inode, mark uint64) {
	switch v.rule {
	case Journal:
		for _, c := range v.unsynced {
			if c.number <= mark {
				c.commit(nil)
			}
		}
	case Own:
		v.commitEntries(n, mark)
		v.commitOwnNames(n, mark)
	case Strict:
		v.commitEntries(n, mark)
	}
	v.forgetCommitted()
}

// commitEntries puts the names inside dir on the platters, and of a rename into
// another directory only the half that concerns dir.
func (v *volume) commitEntries(dir *inode, mark uint64) {
	if !dir.isDir() {
		return
	}
	for _, c := range v.unsynced {
		if c.number <= mark {
			c.commit(dir)
		}
	}
}

// commitOwnNames puts n's names on the platters, and those of the directories
// above it.
func (v *volume) commitOwnNames(n *inode, mark uint64) {
	for at := range n.places {
		for i := len(v.unsynced) - 1; i >= 0; i-- {
			if c := v.unsynced[i]; c.number <= mark && c.gave(at, n) {
				c.commit(nil)
				break
			}
		}
		v.commitOwnNames(at.dir, mark)
	}
}

// forgetCommitted drops the changes that the platters hold, or newer ones.
func (v *volume) forgetCommitted() {
	kept := v.unsynced[:0]
	for _, c := range v.unsynced {
		if !c.committed() {
			kept = append(kept, c)
		}
	}
	clear(v.unsynced[len(kept):])
	v.unsynced = kept
}

// commit puts the change's edits on the platters, only those inside dir unless
// dir is nil.
func (c change) commit(dir *inode) {
	for _, e := range c.edits {
		if (dir == nil || dir == e.dir) && e.dir.names.durable[e.name].change < c.number {
			e.dir.names.durable[e.name] = entry{e.to, c.number}
		}
	}
}

func (c change) committed() bool {
	for _, e := range c.edits {
		if e.dir.names.durable[e.name].change < c.number {
			return false
		}
	}
	return true
}

// gave reports whether the change gave n that name.
func (c change) gave(at place, n *inode) bool {
	for _, e := range c.edits {
		if e.dir == at.dir && e.name == at.name && e.to == n {
			return true
		}
	}
	return false
}
