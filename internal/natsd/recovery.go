package natsd

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// blockSizes is how many bytes each block of a store has, by its path in there.
type blockSizes map[string]int64

// sizesOfBlocks looks at every stream of a store.
func sizesOfBlocks(storeDir string) (blockSizes, error) {
	names, err := fs.Glob(os.DirFS(storeDir), server.JetStreamStoreDir+"/*/streams/*/msgs/*"+blockSuffix)
	if err != nil {
		return nil, err
	}
	sizes := blockSizes{}
	for _, name := range names {
		if sizes[name], err = fileSize(storeDir, name); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

// fileSize returns 0 for a file that does not exist.
func fileSize(storeDir, name string) (int64, error) {
	info, err := os.Stat(filepath.Join(storeDir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// sayWhatWasCut compares the blocks with what they were before the server
// recovered them. It cuts a block off at the first record that it cannot read, and
// says nothing (filestore.go, rebuildStateFromBufLocked). In a stream's last block
// that is what a crash has torn; in any other it is damage, and what stood behind
// it is lost.
func (before blockSizes) sayWhatWasCut(storeDir string, log *slog.Logger) error {
	last := before.last()
	for name, was := range before {
		is, err := fileSize(storeDir, name)
		if err != nil {
			return err
		}
		if is >= was {
			continue
		}
		level, what := slog.LevelError, "a damaged block of the stream was cut off: entries are lost"
		if last[path.Dir(name)] == name {
			level, what = slog.LevelWarn, "the torn end of the stream's last block was cut off"
		}
		log.Log(context.Background(), level, what, "block", name, "bytes_cut", was-is, "bytes_left", is)
	}
	return nil
}

// last returns the block with the highest number in each folder.
func (before blockSizes) last() map[string]string {
	highest, last := map[string]uint64{}, map[string]string{}
	for name := range before {
		dir := path.Dir(name)
		number, err := strconv.ParseUint(strings.TrimSuffix(path.Base(name), blockSuffix), 10, 64)
		if err == nil && number >= highest[dir] {
			highest[dir], last[dir] = number, name
		}
	}
	return last
}
