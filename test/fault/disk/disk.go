//go:build linux

// Package disk is a file system that forgets what was not synced: a FUSE mount
// for programs under test, with a switch for the power.
//
// It keeps two images. Programs see one, with all they did; the platters hold
// the other, with what they synced. Close, time and memory pressure move nothing
// from the first to the second, so a program that forgets an fsync loses data at
// each power cut, not once in a thousand. What a sync covers is the Rule's
// choice, what becomes of the rest the Fate's.
//
// It does everything that SQLite in WAL mode and nats-server ask for: shared
// writable mappings, POSIX and open-file-description locks (the kernel keeps
// them, see FUSE_POSIX_LOCKS in fuse(4)), O_APPEND, O_SYNC, links, and renames over
// open files. Permissions and times are not part of the experiment.
//
// A process that mounts a disk must not map files on it into memory: a page
// fault stops the thread, the garbage collector waits for that thread, and the
// goroutine that would serve the fault waits for the collector. Use a child
// process for SQLite on the disk, or copy the files out.
package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Rule says what a sync makes durable.
type Rule int

const (
	// Strict is POSIX to the letter: a file's sync keeps its bytes and size, a
	// directory's sync keeps its entries.
	Strict Rule = iota

	// Own adds that a sync of anything keeps its own name and those of the
	// directories above.
	Own

	// Journal adds that a sync of anything keeps every earlier change of names,
	// anywhere, as ext4 and XFS do.
	Journal
)

// Rules lists every rule, for tests that try each.
var Rules = []Rule{Strict, Own, Journal}

func (r Rule) String() string {
	return [...]string{"strict", "own", "journal"}[r]
}

// Config describes a disk.
type Config struct {
	Dir       string        // where to mount; an empty directory that exists
	Rule      Rule          // what a sync makes durable, default Strict
	SyncDelay time.Duration // how long a sync takes, default not at all
}

// Stats counts operations since the disk last had power.
type Stats struct {
	Writes     int
	SyncsBegun int
	FileSyncs  int // done
	DirSyncs   int // done
}

// Disk is one disk, mounted while the power is on. Its methods are for one
// goroutine, but for Stats.
type Disk struct {
	config Config
	volume *volume
	on     bool
}

// ErrUnsupported is returned by Mount where a file system cannot be mounted: no
// /dev/fuse, or no permission and no fusermount.
var ErrUnsupported = errors.New("FUSE is not available")

// Mount makes an empty disk and switches it on.
func Mount(c Config) (*Disk, error) {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	f.Close()
	if _, err := fusermount(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	d := &Disk{config: c, volume: newVolume(c.Rule, c.SyncDelay)}
	return d, d.Restore()
}

// Stats counts what programs did since the disk last had power.
func (d *Disk) Stats() Stats {
	d.volume.mu.Lock()
	defer d.volume.mu.Unlock()
	return d.volume.stats
}

// Cut switches the power off. From now on every operation on the old mount
// fails with EIO, for as long as programs hold it; what the kernel has cached
// they may still read. The same seed and history leave the same disk.
func (d *Disk) Cut(fate Fate, seed uint64) (Loss, error) {
	after, loss := d.volume.powerOff(fate, seed)
	d.volume = after
	return loss, d.unmount()
}

// Restore switches the power on again: the directory shows what survived.
func (d *Disk) Restore() error {
	forever := time.Hour // nobody but the kernel changes this disk
	root := &node{volume: d.volume, inode: d.volume.root}
	_, err := fs.Mount(d.config.Dir, root, &fs.Options{
		EntryTimeout:    &forever,
		AttrTimeout:     &forever,
		NegativeTimeout: &forever,
		NullPermissions: true,
		RootStableAttr:  &fs.StableAttr{Ino: d.volume.root.number},
		MountOptions: fuse.MountOptions{
			FsName:   "forgetful",
			Name:     "forgetful",
			MaxWrite: 1 << 20,
			// The kernel's pages are never stale, and dropping those of a
			// mapped file would lose what a program wrote there.
			ExplicitDataCacheControl: true,
			DisableXAttrs:            true,
		},
	})
	if err != nil {
		return fmt.Errorf("mount %s: %w", d.config.Dir, err)
	}
	d.on = true
	return nil
}

// Close switches the disk off and forgets it all.
func (d *Disk) Close() error {
	_, err := d.Cut(Lost, 0)
	return err
}

// unmount frees the directory at once, whoever still uses files on it.
func (d *Disk) unmount() error {
	if !d.on {
		return nil
	}
	d.on = false
	err := syscall.Unmount(d.config.Dir, syscall.MNT_DETACH)
	if errors.Is(err, syscall.EPERM) {
		var helper string
		if helper, err = fusermount(); err == nil {
			err = exec.Command(helper, "-u", "-z", d.config.Dir).Run()
		}
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", d.config.Dir, err)
	}
	return nil
}

// fusermount finds the helper that mounts for programs without privileges.
func fusermount() (string, error) {
	if path, err := exec.LookPath("fusermount3"); err == nil {
		return path, nil
	}
	return exec.LookPath("fusermount")
}
