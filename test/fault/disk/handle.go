//go:build linux

package disk

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// handle is an open file. It keeps the inode alive after its last name is gone.
type handle struct {
	volume *volume
	inode  *inode
	flags  uint32 // of open(2)
}

var (
	_ fs.FileReader  = (*handle)(nil)
	_ fs.FileWriter  = (*handle)(nil)
	_ fs.FileFlusher = (*handle)(nil)
)

func (h *handle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	errno := h.volume.lock()
	defer h.volume.mu.Unlock()
	if errno != 0 {
		return nil, errno
	}
	n := 0
	if seen := h.inode.data.seen; off < int64(len(seen)) {
		n = copy(dest, seen[off:])
	}
	return fuse.ReadResultData(dest[:n]), 0
}

func (h *handle) Write(_ context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	errno := h.volume.lock()
	if errno == 0 {
		h.volume.write(h.inode, off, data)
	}
	h.volume.mu.Unlock()
	if errno == 0 && h.flags&syscall.O_DSYNC != 0 { // O_SYNC holds this bit too
		errno = h.volume.sync(h.inode)
	}
	if errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}

// Flush is close(2), which keeps nothing.
func (h *handle) Flush(context.Context) syscall.Errno {
	errno := h.volume.lock()
	h.volume.mu.Unlock()
	return errno
}
