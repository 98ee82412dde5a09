package fault

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/test/harness"
)

// record is where an entry is in a block file: nats-server 2.15.2 begins each
// with its length and its sequence (filestore.go, writeMsgRecordLocked).
type record struct {
	seq            uint64
	offset, length int
}

// blockFiles returns the stream's blocks, oldest first.
func blockFiles(t *testing.T, p *harness.Pipeline) []string {
	t.Helper()
	files := streamFiles(t, p, ".blk")
	number := func(path string) int {
		n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(path), ".blk"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	slices.SortFunc(files, func(a, b string) int { return number(a) - number(b) })
	if len(files) == 0 {
		t.Fatal("the stream has no blocks")
	}
	return files
}

// streamFiles returns the files of the stream's messages whose names end so.
func streamFiles(t *testing.T, p *harness.Pipeline, suffix string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(p.Dir, "jetstream"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, suffix) && strings.Contains(path, "/streams/WEBHOOKS/msgs/") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// records reads where the entries of a block are.
func records(t *testing.T, path string) []record {
	t.Helper()
	const headersBit = 1 << 31
	b := read(t, path)
	var all []record
	for at := 0; at < len(b); {
		r := record{
			length: int(binary.LittleEndian.Uint32(b[at:]) &^ headersBit),
			seq:    binary.LittleEndian.Uint64(b[at+4:]),
			offset: at,
		}
		if r.length == 0 || at+r.length > len(b) {
			t.Fatalf("%s: no record at byte %d", path, at)
		}
		all = append(all, r)
		at += r.length
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
