//go:build linux

package disk

import (
	"sync"
	"syscall"
	"time"
)

// volume is the state of a disk between two power cuts. Everything in it is
// guarded by mu.
type volume struct {
	rule      Rule
	syncDelay time.Duration

	mu       sync.Mutex
	root     *inode
	inodes   uint64   // numbers given out
	changes  uint64   // of names, numbers given out
	unsynced []change // of names, in order
	cut      bool     // the power is off: every operation fails
	stats    Stats
}

// inode is a file, a directory or a symbolic link.
type inode struct {
	number uint64
	mode   uint32 // type and permissions
	mtime  time.Time
	places map[place]struct{} // where programs see it

	data   content   // of a regular file
	names  directory // of a directory
	target string    // of a symbolic link
}

func newVolume(rule Rule, syncDelay time.Duration) *volume {
	v := &volume{rule: rule, syncDelay: syncDelay}
	v.root = v.newInode(syscall.S_IFDIR | 0o755)
	return v
}

func (v *volume) newInode(mode uint32) *inode {
	v.inodes++
	n := &inode{number: v.inodes, mode: mode, mtime: time.Now(), places: map[place]struct{}{}}
	if n.isDir() {
		n.names = directory{seen: map[string]*inode{}, durable: map[string]entry{}}
	}
	return n
}

func (n *inode) kind() uint32 { return n.mode & syscall.S_IFMT }
func (n *inode) isDir() bool  { return n.kind() == syscall.S_IFDIR }

// lock takes the volume for one operation. It fails when the power is off; the
// caller must unlock in either case.
func (v *volume) lock() syscall.Errno {
	v.mu.Lock()
	if v.cut {
		return syscall.EIO
	}
	return 0
}

// write is a program's write. It keeps a copy of data.
func (v *volume) write(n *inode, off int64, data []byte) {
	n.data.add(write{off: off, data: append([]byte(nil), data...)})
	n.mtime = time.Now()
	v.stats.Writes++
}

func (v *volume) truncate(n *inode, size int64) {
	n.data.add(write{off: size, truncate: true})
	n.mtime = time.Now()
}

// sync is fsync, or fdatasync, which this disk treats alike. It keeps what was
// there when it began, and only once its time is over: a power cut in between
// finds nothing kept.
func (v *volume) sync(n *inode) syscall.Errno {
	errno := v.lock()
	bytes, names := n.data.mark(), v.changes
	v.stats.SyncsBegun++
	v.mu.Unlock()
	if errno != 0 {
		return errno
	}
	time.Sleep(v.syncDelay)

	defer v.mu.Unlock()
	if errno := v.lock(); errno != 0 {
		return errno
	}
	n.data.sync(bytes)
	v.syncNames(n, names)
	if n.isDir() {
		v.stats.DirSyncs++
	} else {
		v.stats.FileSyncs++
	}
	return 0
}
