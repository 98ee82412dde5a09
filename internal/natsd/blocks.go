package natsd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// What nats-server 2.15.2 keeps of a stream (filestore.go): numbered block files
// in <store>/jetstream/<account>/streams/<stream>/msgs, the highest number being
// the tail. A block grows at its end until it is full; then the next number is
// opened. CheckLayout proves it at each start.
const (
	blockSuffix = ".blk" // "7.blk.tmp" is a block being rewritten, not a block

	recordHeaderBytes = 22       // length 4, sequence 8, time 8, length of the subject 2
	maxRecordBytes    = 32 << 20 // rlBadThresh: more is damage
	headersBit        = 1 << 31  // of a record's length: it has headers
	notMessageBits    = 3 << 62  // of a record's sequence: a tombstone, or erased
)

// messagesDir is the folder of a stream's blocks.
func messagesDir(storeDir, stream string) string {
	return filepath.Join(storeDir, server.JetStreamStoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", stream, "msgs")
}

func blockPath(dir string, index uint64) string {
	return filepath.Join(dir, strconv.FormatUint(index, 10)+blockSuffix)
}

// blocks lists the numbers of the blocks in dir, ascending.
func blocks(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var indexes []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), blockSuffix)
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 32); err == nil {
			indexes = append(indexes, n)
		}
	}
	slices.Sort(indexes)
	return indexes, nil
}

// BlockStarts returns the sequence of the first entry in each block of the
// stream, ascending. Purging up to one of these removes whole block files;
// anywhere else the server rewrites a block, out of reach of a Barrier.
func (s *Server) BlockStarts(stream string) ([]uint64, error) {
	dir := messagesDir(s.opts.StoreDir, stream)
	indexes, err := blocks(dir)
	if err != nil {
		return nil, fmt.Errorf("list the blocks of %s: %w", stream, err)
	}
	starts := make([]uint64, 0, len(indexes))
	for _, index := range indexes {
		seq, err := firstSequence(blockPath(dir, index))
		if errors.Is(err, fs.ErrNotExist) {
			continue // trimmed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read block %d of %s: %w", index, stream, err)
		}
		if seq > 0 {
			starts = append(starts, seq)
		}
	}
	return starts, nil
}

// firstSequence returns the sequence of the first message in a block, 0 when it
// holds none.
func firstSequence(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var header [recordHeaderBytes]byte
	for offset := int64(0); ; {
		if _, err := f.ReadAt(header[:], offset); errors.Is(err, io.EOF) {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
		length := binary.LittleEndian.Uint32(header[0:]) &^ headersBit
		seq := binary.LittleEndian.Uint64(header[4:])
		if length < recordHeaderBytes || length > maxRecordBytes {
			return 0, fmt.Errorf("the record at byte %d has an impossible length", offset)
		}
		if seq&notMessageBits == 0 && seq > 0 {
			return seq, nil
		}
		offset += int64(length)
	}
}
