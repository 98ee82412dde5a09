//go:build linux

package fault

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a file system of its own with little room.
type smallDisk struct {
	t       *testing.T
	dir     string
	ballast string
}

// A fileSystem mounts itself at dir.
type fileSystem func(t *testing.T, dir string, megabytes int) error

// mountTmpfs mounts memory: quick, and full at the byte.
func mountTmpfs(_ *testing.T, dir string, megabytes int) error {
	return unix.Mount("sluice-test", dir, "tmpfs", 0, "size="+strconv.Itoa(megabytes)+"m")
}

// mountExt4 mounts an ext4 in a file: it allocates late, so that a write can
// succeed and its sync fail.
func mountExt4(t *testing.T, dir string, megabytes int) error {
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(image, int64(megabytes)<<20); err != nil {
		return err
	}
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Logf("%v: %v: %s", command, err, out)
			return err
		}
	}
	return nil
}

// newSmallDisk mounts a small disk until the test ends. The test is skipped
// where that is not allowed.
func newSmallDisk(t *testing.T, mount fileSystem, megabytes int) *smallDisk {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		notProven(t, "a full disk: mounting a small one needs root")
	}
	if err := mount(t, dir, megabytes); err != nil {
		notProven(t, "a full disk: a small one cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return &smallDisk{t: t, dir: dir, ballast: filepath.Join(dir, "ballast")}
}

// fill takes so many bytes more, or all that is left when there are not so many.
func (d *smallDisk) fill(bytes int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		d.t.Fatal(err)
	}
	for chunk := int64(1 << 20); bytes > 0 && chunk > 0; {
		n := min(chunk, bytes)
		switch err := unix.Fallocate(int(f.Fd()), 0, end, n); {
		case errors.Is(err, unix.ENOSPC):
			chunk /= 2 // what is left may be less
		case err != nil:
			d.t.Fatal(err)
		default:
			end, bytes = end+n, bytes-n
		}
	}
}

// fillUp takes all the room there is.
func (d *smallDisk) fillUp() {
	d.t.Helper()
	d.fill(1 << 40)
}

// giveBack removes the ballast.
func (d *smallDisk) giveBack() {
	d.t.Helper()
	if err := os.Remove(d.ballast); err != nil {
		d.t.Fatal(err)
	}
	survived(1, "full disks")
}

func (d *smallDisk) free() int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(d.dir, &s); err != nil {
		d.t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}
