package natsd

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// leftovers matches, in a store, what must not be there when nats-server 2.15.2
// starts.
var leftovers = []string{
	// How far each consumer is (filestore.go, consumerDir and consumerState). The
	// server does not sync these files, and one that a power cut has torn makes its
	// consumer impossible to use or to delete. The consumers stay. One without this
	// file counts as having acknowledged nothing until it says otherwise, which
	// keeps entries from being trimmed and does no other harm.
	server.JetStreamStoreDir + "/*/streams/*/obs/*/o.dat",

	// With what the server proves at its start that it may write (jetstream.go,
	// enableJetStream). One that a crash has left passes for an account that cannot
	// be resolved, so that the server is unhealthy for ever.
	server.JetStreamStoreDir + "/_test_*",
	server.JetStreamStoreDir + "/*/streams/*/_test_*", // and of a stream (filestore.go, newFileStoreWithCreated)

	// The stream of CheckLayout, and what is left of streams that were deleted
	// (filestore.go, Delete: renamed, then removed by and by). One whose
	// description a power cut has taken could be neither deleted nor made: the new
	// one would find it full.
	server.JetStreamStoreDir + "/*/streams/" + ProbeStream,
	server.JetStreamStoreDir + "/*/streams/.*",
}

// removeLeftovers removes them from the store of a server that is not running.
func removeLeftovers(storeDir string) error {
	for _, pattern := range leftovers {
		paths, err := fs.Glob(os.DirFS(storeDir), pattern)
		if err != nil {
			return fmt.Errorf("look for leftovers: %w", err)
		}
		for _, path := range paths {
			if err := os.RemoveAll(filepath.Join(storeDir, filepath.FromSlash(path))); err != nil {
				return fmt.Errorf("remove leftovers: %w", err)
			}
		}
	}
	return nil
}
