package natsd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Barrier makes durable what a stream has acknowledged. The server writes an
// entry to the stream's tail block before it acknowledges it (filestore.go,
// writeMsgRecordLocked: flushed in place when there is one replica) and does not
// sync; one sync of that file covers every entry acknowledged before it began.
//
// Its first error is its last: after a failed sync the kernel may have dropped
// the pages and call the next sync good. So nothing is tried again, every later
// call returns the same error, and the process must stop.
type Barrier struct {
	root string // of the store
	dir  string // of the stream's blocks
	disk disk

	mu    sync.Mutex // held by Server.Restart as well, so that no answer goes out meanwhile
	tail  *os.File   // block number index, nil when there is none to be found
	index uint64
	err   error
}

// disk is what a barrier asks of the file system; tests make it fail.
type disk struct {
	syncData func(f *os.File, callers int) error // a file's bytes and size, for so many callers
	syncDir  func(path string) error             // a folder's entries
	syncTree func(root string) error
	release  func() // what syncData holds; may be called again
}

func realDisk() disk {
	syncData, release := dataSync()
	return disk{
		syncData: syncData,
		syncDir:  syncPath,
		syncTree: func(root string) error { return syncTree(root, syncPath) },
		release:  sync.OnceFunc(release),
	}
}

// maxSurprises bounds how often one Sync starts over because blocks were moved
// under it.
const maxSurprises = 5

// OpenBarrier makes the whole store durable and returns the barrier of a stream
// that exists. Call it once for a stream, before the first entry is answered
// for; Shutdown closes it.
func (s *Server) OpenBarrier(stream string) (*Barrier, error) {
	b := &Barrier{root: s.opts.StoreDir, dir: messagesDir(s.opts.StoreDir, stream), disk: realDisk()}
	if err := b.open(); err != nil {
		b.disk.release()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.barriers = append(s.barriers, b)
	return b, nil
}

// Sync returns nil once every entry that the server acknowledged before the call
// is durable. It is a group commit's function; callers is how many wait for it.
func (b *Barrier) Sync(callers int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = b.sync(callers)
	}
	return b.err
}

// sync follows the stream to its tail and makes that durable. A block that has a
// successor gets no more entries, so the old block goes first, then the folder
// that names the new one, then the new one.
func (b *Barrier) sync(callers int) error {
	for surprises := 0; surprises < maxSurprises; {
		next, err := exists(blockPath(b.dir, b.index+1))
		if err != nil {
			return err
		}
		if err := b.syncTail(callers); err != nil {
			return err
		}
		named, err := b.tailIsNamed()
		switch {
		case err != nil:
			return err
		case !named: // rewritten or purged: what we synced is not the stream's
			surprises++
			err = b.open()
		case next:
			err = b.advance()
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("the blocks in %s do not come to rest", b.dir)
}

func (b *Barrier) syncTail(callers int) error {
	if b.tail == nil {
		return nil
	}
	if err := b.disk.syncData(b.tail, callers); err != nil {
		return fmt.Errorf("sync block %d: %w", b.index, err)
	}
	return nil
}

// tailIsNamed reports whether the file we hold is the one that the tail's name
// leads to. It is looked at after the sync, so that a block swapped before the
// sync cannot pass for a synced one. Something has been acknowledged, so there
// must be a tail.
func (b *Barrier) tailIsNamed() (bool, error) {
	if b.tail == nil {
		return false, nil
	}
	named, err := os.Stat(blockPath(b.dir, b.index))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	held, err := b.tail.Stat()
	if err != nil {
		return false, err
	}
	return os.SameFile(named, held), nil
}

// advance makes the next block the tail.
func (b *Barrier) advance() error {
	if err := b.disk.syncDir(b.dir); err != nil {
		return fmt.Errorf("sync %s: %w", b.dir, err)
	}
	return b.hold(b.index + 1)
}

// open makes the store durable as it is and finds the tail. Only opening,
// restarts and surprises need it: it reads folders.
func (b *Barrier) open() error {
	if err := b.disk.syncTree(b.root); err != nil {
		return err
	}
	indexes, err := blocks(b.dir)
	if err != nil {
		return fmt.Errorf("find the tail block: %w", err)
	}
	if len(indexes) == 0 {
		b.release()
		return nil
	}
	return b.hold(indexes[len(indexes)-1])
}

// hold opens block index as the tail. One that is gone again is a surprise,
// which the next look finds.
func (b *Barrier) hold(index uint64) error {
	b.release()
	f, err := os.Open(blockPath(b.dir, index))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b.index = index
	if err == nil {
		b.tail = f
	}
	return nil
}

func (b *Barrier) release() {
	if b.tail != nil {
		_ = b.tail.Close() // only read from: nothing to lose
		b.tail = nil
	}
}

// close lets go of the tail; Sync fails from then on.
func (b *Barrier) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.release()
	b.disk.release()
	if b.err == nil {
		b.err = errClosed
	}
}

var errClosed = errors.New("the embedded stream has been shut down")

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
