package natsd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// spy notes what a barrier makes durable, by file name and in order, and fails
// where it is told to.
type spy struct {
	synced []string
	fail   string // a name
	before func(name string)
}

func (s *spy) sync(path string) error {
	name := filepath.Base(path)
	if s.before != nil {
		s.before(name)
	}
	s.synced = append(s.synced, name)
	if name == s.fail {
		return errors.New("input/output error")
	}
	return nil
}

// take returns what was made durable since the last call.
func (s *spy) take() string {
	defer func() { s.synced = nil }()
	return strings.Join(s.synced, " ")
}

// spied returns the barrier of a stream with the given blocks.
func spied(t *testing.T, blocks ...uint64) (*Barrier, *spy) {
	t.Helper()
	s := &spy{}
	b := &Barrier{root: t.TempDir(), disk: disk{
		syncData: func(f *os.File, _ int) error { return s.sync(f.Name()) },
		syncDir:  s.sync,
		syncTree: func(string) error { return s.sync("tree") },
		release:  func() {},
	}}
	b.dir = filepath.Join(b.root, "msgs")
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, index := range blocks {
		grow(t, b, index)
	}
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	if got := s.take(); got != "tree" {
		t.Fatalf("opening synced %q", got)
	}
	return b, s
}

// grow appends to a block, and makes it if need be.
func grow(t *testing.T, b *Barrier, index uint64) {
	t.Helper()
	f, err := os.OpenFile(blockPath(b.dir, index), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("entry"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// wants syncs and compares what was made durable.
func wants(t *testing.T, b *Barrier, s *spy, want string) {
	t.Helper()
	if err := b.Sync(1); err != nil {
		t.Fatal(err)
	}
	if got := s.take(); got != want {
		t.Errorf("synced %q, want %q", got, want)
	}
}

func TestSync_syncsTheTailAlone(t *testing.T) {
	b, s := spied(t, 8, 9, 10)
	wants(t, b, s, "10.blk")
	wants(t, b, s, "10.blk")
}

func TestSync_rollOverIsOldBlockThenFolderThenNewBlock(t *testing.T) {
	b, s := spied(t, 1)
	grow(t, b, 2)
	wants(t, b, s, "1.blk msgs 2.blk")
	wants(t, b, s, "2.blk")
}

func TestSync_followsSeveralRollOvers(t *testing.T) {
	b, s := spied(t, 1)
	grow(t, b, 2)
	grow(t, b, 3)
	wants(t, b, s, "1.blk msgs 2.blk msgs 3.blk")
}

func TestSync_followsARollOverWhileItSyncs(t *testing.T) {
	b, s := spied(t, 1)
	s.before = func(name string) {
		if name == "1.blk" {
			grow(t, b, 2) // after the look, before the sync: what was acknowledged by then is in block 1
		}
	}
	wants(t, b, s, "1.blk")
	s.before = nil
	wants(t, b, s, "1.blk msgs 2.blk")
}

func TestSync_aBlockBeingRewrittenIsNotABlock(t *testing.T) {
	b, s := spied(t, 1)
	if err := os.WriteFile(blockPath(b.dir, 2)+".tmp", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	wants(t, b, s, "1.blk")
}

func TestSync_aTailSwappedUnderItIsSyncedAnew(t *testing.T) {
	b, s := spied(t, 1)
	swap := func(string) {
		s.before = nil
		other := filepath.Join(b.root, "other")
		if err := os.WriteFile(other, []byte("rewritten"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(other, blockPath(b.dir, 1)); err != nil {
			t.Fatal(err)
		}
	}
	swap("")
	wants(t, b, s, "1.blk tree 1.blk")
	s.before = swap
	wants(t, b, s, "1.blk tree 1.blk")
}

func TestSync_aPurgedTailIsFoundAgain(t *testing.T) {
	b, s := spied(t, 4)
	if err := os.Remove(blockPath(b.dir, 4)); err != nil {
		t.Fatal(err)
	}
	grow(t, b, 7)
	wants(t, b, s, "4.blk tree 7.blk")
}

func TestSync_withoutATailNothingIsPromised(t *testing.T) {
	b, s := spied(t)
	if err := b.Sync(1); err == nil {
		t.Errorf("synced %q and called it durable", s.take())
	}
}

func TestSync_theFirstErrorIsTheLast(t *testing.T) {
	for _, where := range []string{"1.blk", "msgs", "2.blk"} {
		b, s := spied(t, 1)
		grow(t, b, 2)
		s.fail = where
		err := b.Sync(1)
		if err == nil {
			t.Fatalf("%s failed and nobody said so", where)
		}
		s.fail, s.synced = "", nil
		if again := b.Sync(1); again != err || len(s.synced) != 0 {
			t.Errorf("%s: tried again: %v, synced %v", where, again, s.synced)
		}
	}
}

func TestSyncTree_filesThenFoldersUpToTheParent(t *testing.T) {
	parent := t.TempDir()
	root := filepath.Join(parent, "store")
	for _, path := range []string{"a/meta.inf", "a/msgs/1.blk", "b.db"} {
		if err := makeDir(filepath.Dir(filepath.Join(root, path))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var synced []string
	err := syncTree(root, func(path string) error {
		rel, _ := filepath.Rel(parent, path)
		synced = append(synced, rel)
		return nil
	})
	want := "store/a/meta.inf store/a/msgs/1.blk store/b.db store/a/msgs store/a store ."
	if got := strings.Join(synced, " "); err != nil || got != want {
		t.Errorf("synced %q, %v, want %q", got, err, want)
	}
}

func TestSyncTree_realFilesAndFolders(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	if err := makeDir(filepath.Join(root, "streams", "S")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "streams", "S", "meta.inf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syncTree(root, syncPath); err != nil {
		t.Error(err)
	}
	if err := syncTree(filepath.Join(root, "absent"), syncPath); err != nil {
		t.Errorf("what is gone needs no sync: %v", err)
	}
}

func TestBlocks_onlyNumberedBlocks(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"10.blk", "9.blk", "11.blk.tmp", "index.db", "x.blk", ".blk", "3.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := blocks(dir)
	if err != nil || !slices.Equal(got, []uint64{9, 10}) {
		t.Errorf("%v, %v", got, err)
	}
}
