//go:build linux

package disk

import (
	"context"
	"maps"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node shows an inode to the kernel.
type node struct {
	fs.Inode
	volume *volume
	inode  *inode
}

var (
	_ fs.NodeLookuper   = (*node)(nil)
	_ fs.NodeReaddirer  = (*node)(nil)
	_ fs.NodeCreater    = (*node)(nil)
	_ fs.NodeMkdirer    = (*node)(nil)
	_ fs.NodeSymlinker  = (*node)(nil)
	_ fs.NodeReadlinker = (*node)(nil)
	_ fs.NodeLinker     = (*node)(nil)
	_ fs.NodeUnlinker   = (*node)(nil)
	_ fs.NodeRmdirer    = (*node)(nil)
	_ fs.NodeRenamer    = (*node)(nil)
	_ fs.NodeGetattrer  = (*node)(nil)
	_ fs.NodeSetattrer  = (*node)(nil)
	_ fs.NodeStatfser   = (*node)(nil)
	_ fs.NodeFsyncer    = (*node)(nil)
	_ fs.NodeOpener     = (*node)(nil)
)

func (d *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	if errno != 0 {
		return nil, errno
	}
	child := d.inode.names.seen[name]
	if child == nil {
		return nil, syscall.ENOENT
	}
	return d.show(ctx, child, out), 0
}

// show gives the kernel a child of d.
func (d *node) show(ctx context.Context, n *inode, out *fuse.EntryOut) *fs.Inode {
	n.attr(&out.Attr)
	return d.NewInode(ctx, &node{volume: d.volume, inode: n}, fs.StableAttr{Mode: n.kind(), Ino: n.number})
}

func (d *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	if errno != 0 {
		return nil, errno
	}
	var list []fuse.DirEntry
	for _, name := range slices.Sorted(maps.Keys(d.inode.names.seen)) {
		n := d.inode.names.seen[name]
		list = append(list, fuse.DirEntry{Name: name, Mode: n.kind(), Ino: n.number})
	}
	return fs.NewListDirStream(list), 0
}

func (d *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	child, errno := d.make(ctx, name, &inode{mode: syscall.S_IFREG | mode&0o7777}, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	h := &handle{volume: d.volume, inode: child.Operations().(*node).inode, flags: flags}
	return child, h, fuse.FOPEN_KEEP_CACHE, 0
}

func (d *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return d.make(ctx, name, &inode{mode: syscall.S_IFDIR | mode&0o7777}, out)
}

func (d *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return d.make(ctx, name, &inode{mode: syscall.S_IFLNK | 0o777, target: target}, out)
}

// make adds a new file of like's mode and target.
func (d *node) make(ctx context.Context, name string, like *inode, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	if errno != 0 {
		return nil, errno
	}
	if d.inode.names.seen[name] != nil {
		return nil, syscall.EEXIST
	}
	n := d.volume.newInode(like.mode)
	n.target = like.target
	d.volume.rename(edit{d.inode, name, n})
	return d.show(ctx, n, out), 0
}

func (d *node) Readlink(context.Context) ([]byte, syscall.Errno) {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	return []byte(d.inode.target), errno
}

func (d *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	if errno != 0 {
		return nil, errno
	}
	if d.inode.names.seen[name] != nil {
		return nil, syscall.EEXIST
	}
	n := target.(*node).inode
	d.volume.rename(edit{d.inode, name, n})
	return d.show(ctx, n, out), 0
}

func (d *node) Unlink(_ context.Context, name string) syscall.Errno {
	return d.remove(name)
}

func (d *node) Rmdir(_ context.Context, name string) syscall.Errno {
	return d.remove(name)
}

func (d *node) remove(name string) syscall.Errno {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	if errno != 0 {
		return errno
	}
	n := d.inode.names.seen[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case len(n.names.seen) > 0:
		return syscall.ENOTEMPTY
	}
	d.volume.rename(edit{d.inode, name, nil})
	return 0
}

// Flags of renameat2(2).
const (
	renameNoReplace = 1 << 0
	renameExchange  = 1 << 1
)

func (d *node) Rename(_ context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	if errno != 0 {
		return errno
	}
	from, to := d.inode, newParent.(*node).inode
	n, old := from.names.seen[name], to.names.seen[newName]
	switch {
	case n == nil:
		return syscall.ENOENT
	case flags&renameExchange != 0:
		if old == nil {
			return syscall.ENOENT
		}
		d.volume.rename(edit{from, name, old}, edit{to, newName, n})
		return 0
	case old != nil && flags&renameNoReplace != 0:
		return syscall.EEXIST
	case old != nil && len(old.names.seen) > 0:
		return syscall.ENOTEMPTY
	case n == old:
		return 0 // rename(2): two names of one file, nothing to do
	}
	d.volume.rename(edit{from, name, nil}, edit{to, newName, n})
	return 0
}

func (d *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	d.inode.attr(&out.Attr)
	return errno
}

func (d *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	if errno != 0 {
		return errno
	}
	if size, ok := in.GetSize(); ok {
		d.volume.truncate(d.inode, int64(size))
	}
	if mode, ok := in.GetMode(); ok {
		d.inode.mode = d.inode.kind() | mode
	}
	if t, ok := in.GetMTime(); ok {
		d.inode.mtime = t
	}
	d.inode.attr(&out.Attr)
	return 0
}

// attr writes what stat shows. Times and permissions are kept only as far as
// programs want to see them; a power cut leaves the last ones.
func (n *inode) attr(out *fuse.Attr) {
	out.Ino = n.number
	out.Mode = n.mode
	out.Nlink = uint32(len(n.places))
	out.Size = uint64(len(n.data.seen))
	out.Blocks = (out.Size + sectorBytes - 1) / sectorBytes
	out.SetTimes(&n.mtime, &n.mtime, &n.mtime)
	if n.isDir() {
		out.Nlink = 2
	}
}

// Statfs shows a disk with plenty of room, so that no program refuses to start.
func (d *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const block, blocks = 4096, 64 << 30 / 4096
	out.Bsize, out.Frsize, out.NameLen = block, block, 255
	out.Blocks, out.Bfree, out.Bavail = blocks, blocks, blocks
	out.Files, out.Ffree = 1<<20, 1<<20
	return 0
}

func (d *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return d.volume.sync(d.inode)
}

func (d *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	errno := d.volume.lock()
	defer d.volume.mu.Unlock()
	return &handle{volume: d.volume, inode: d.inode, flags: flags}, fuse.FOPEN_KEEP_CACHE, errno
}
