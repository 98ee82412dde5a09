package natsd

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What comes of an fdatasync is the same whichever way it is asked for. One that fails
// in the middle needs a broken disk: test/fault has those.
func TestDataSync_forOneAndForMany(t *testing.T) {
	syncData, release := dataSync()
	defer release()
	f, err := os.Create(filepath.Join(t.TempDir(), "1.blk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	null, err := os.Open(os.DevNull) // cannot be synced
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for callers := range 4 {
		if _, err := f.WriteString("entry"); err != nil {
			t.Fatal(err)
		}
		if err := syncData(f, 1+callers); err != nil {
			t.Errorf("for %d callers: %v", 1+callers, err)
		}
		if err := syncData(null, 1+callers); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("what cannot be synced, for %d callers: %v", 1+callers, err)
		}
	}
}

func TestAIO(t *testing.T) {
	a, err := newAIO()
	if err != nil {
		t.Skipf("SKIPPED: no asynchronous fdatasync here, the plain one is used instead: %v", err)
	}
	defer a.close()
	f, err := os.Create(filepath.Join(t.TempDir(), "1.blk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 3 {
		if err := a.begin(f); err != nil {
			t.Fatal(err)
		}
		if err := a.end(); err != nil {
			t.Fatal(err)
		}
	}
}
