package natsd

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
)

// descriptions matches, in a store, the folders that describe themselves: those
// of streams and of their consumers.
var descriptions = []string{
	server.JetStreamStoreDir + "/*/streams/*",
	server.JetStreamStoreDir + "/*/streams/*/obs/*",
}

// repairDescriptions puts right what a crash has left of the files that describe
// streams and consumers, in the store of a server that is not running.
//
// nats-server 2.15.2 renames meta.inf into place, and after it meta.sum, unsynced
// (filestore.go, writeStreamMeta). At its start it passes over what lacks one of
// them, a stream where they do not fit, and a consumer whose meta.inf it cannot
// read. The same is then made anew over what is there, and meta.inf is not written
// because there is one: so it is passed over at each start, and a stream has
// another identity each time.
//
// So a description that is whole gets its checksum, and another goes, to be
// written anew. What it described stays.
func repairDescriptions(storeDir string) error {
	for _, pattern := range descriptions {
		dirs, err := fs.Glob(os.DirFS(storeDir), pattern)
		if err != nil {
			return fmt.Errorf("look for descriptions: %w", err)
		}
		for _, dir := range dirs {
			if err := repairDescription(filepath.Join(storeDir, filepath.FromSlash(dir)), describedName(dir)); err != nil {
				return fmt.Errorf("repair a description: %w", err)
			}
		}
	}
	return nil
}

func repairDescription(dir, name string) error {
	inf, sum := filepath.Join(dir, server.JetStreamMetaFile), filepath.Join(dir, server.JetStreamMetaFileSum)
	described, err := os.ReadFile(inf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !json.Valid(described) {
		return os.Remove(inf)
	}
	found, err := os.ReadFile(sum)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if want := checksum(name, described); string(found) != want {
		return os.WriteFile(sum, []byte(want), 0o600)
	}
	return nil
}

// describedName is what the server makes a checksum's key of: a stream's name,
// or a stream's and a consumer's.
func describedName(dir string) string {
	parts := strings.Split(dir, "/")
	if len(parts) == 4 { // jetstream/account/streams/stream
		return parts[3]
	}
	return parts[3] + "/" + parts[5]
}

// checksum is what meta.sum holds (filestore.go, writeStreamMeta and
// writeConsumerMeta).
func checksum(name string, described []byte) string {
	key := sha256.Sum256([]byte(name))
	sum := highwayhash.Sum64(described, key[:])
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, sum))
}
