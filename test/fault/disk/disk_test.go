//go:build linux

package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func mount(t *testing.T, c Config) *Disk {
	t.Helper()
	c.Dir = t.TempDir()
	d, err := Mount(c)
	if errors.Is(err, ErrUnsupported) {
		t.Skipf("NOT TESTED: no forgetful disk on this machine: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// powerCycle cuts the power and switches it on again.
func powerCycle(t *testing.T, d *Disk, fate Fate, seed uint64) Loss {
	t.Helper()
	loss, err := d.Cut(fate, seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Restore(); err != nil {
		t.Fatal(err)
	}
	return loss
}

// at is a path on the disk.
func (d *Disk) at(name string) string { return filepath.Join(d.config.Dir, name) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file from its beginning, and leaves it open.
func put(t *testing.T, d *Disk, name, data string) *os.File {
	t.Helper()
	f, err := os.OpenFile(d.at(name), os.O_RDWR|os.O_CREATE, 0o644)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	_, err = f.WriteAt([]byte(data), 0)
	must(t, err)
	return f
}

// keep writes a file and makes it durable by every rule, in the root.
func keep(t *testing.T, d *Disk, name, data string) *os.File {
	t.Helper()
	f := put(t, d, name, data)
	must(t, f.Sync())
	syncDir(t, d, ".")
	return f
}

func syncDir(t *testing.T, d *Disk, name string) {
	t.Helper()
	f, err := os.Open(d.at(name))
	must(t, err)
	defer f.Close()
	must(t, f.Sync())
}

// get reads a file; "-" stands for a file that is not there.
func get(t *testing.T, d *Disk, name string) string {
	t.Helper()
	b, err := os.ReadFile(d.at(name))
	if errors.Is(err, os.ErrNotExist) {
		return "-"
	}
	must(t, err)
	return string(b)
}

// TestRules tells, for each rule, what a program finds after a power cut that
// loses all that was not synced.
func TestRules(t *testing.T) {
	tests := []struct {
		name string
		do   func(*testing.T, *Disk)
		file string
		want [3]string // strict, own, journal
	}{
		{"nothing synced", func(t *testing.T, d *Disk) {
			put(t, d, "f", "new")
		}, "f", [3]string{"-", "-", "-"}},

		{"file synced, its directory not", func(t *testing.T, d *Disk) {
			must(t, put(t, d, "f", "new").Sync())
		}, "f", [3]string{"-", "new", "new"}},

		{"directory synced, the file not", func(t *testing.T, d *Disk) {
			put(t, d, "f", "new")
			syncDir(t, d, ".")
		}, "f", [3]string{"", "", ""}},

		{"file and directory synced", func(t *testing.T, d *Disk) {
			keep(t, d, "f", "new")
		}, "f", [3]string{"new", "new", "new"}},

		{"file and inner directory synced, the outer not", func(t *testing.T, d *Disk) {
			must(t, os.MkdirAll(d.at("a/b"), 0o755))
			must(t, put(t, d, "a/b/f", "new").Sync())
			syncDir(t, d, "a/b")
		}, "a/b/f", [3]string{"-", "new", "new"}},

		{"file and all directories synced", func(t *testing.T, d *Disk) {
			must(t, os.MkdirAll(d.at("a/b"), 0o755))
			must(t, put(t, d, "a/b/f", "new").Sync())
			syncDir(t, d, "a/b")
			syncDir(t, d, "a")
			syncDir(t, d, ".")
		}, "a/b/f", [3]string{"new", "new", "new"}},

		{"another file synced", func(t *testing.T, d *Disk) {
			put(t, d, "f", "new")
			must(t, put(t, d, "g", "new").Sync())
		}, "f", [3]string{"-", "-", ""}},

		{"overwritten, not synced", func(t *testing.T, d *Disk) {
			keep(t, d, "f", "old")
			put(t, d, "f", "new")
		}, "f", [3]string{"old", "old", "old"}},

		{"truncated, not synced", func(t *testing.T, d *Disk) {
			must(t, keep(t, d, "f", "old").Truncate(1))
		}, "f", [3]string{"old", "old", "old"}},

		{"truncated and synced", func(t *testing.T, d *Disk) {
			f := keep(t, d, "f", "old")
			must(t, f.Truncate(1))
			must(t, f.Truncate(2))
			must(t, f.Sync())
		}, "f", [3]string{"o\x00", "o\x00", "o\x00"}},

		{"removed, not synced", func(t *testing.T, d *Disk) {
			keep(t, d, "f", "old")
			must(t, os.Remove(d.at("f")))
		}, "f", [3]string{"old", "old", "old"}},

		{"removed, directory synced", func(t *testing.T, d *Disk) {
			keep(t, d, "f", "old")
			must(t, os.Remove(d.at("f")))
			syncDir(t, d, ".")
		}, "f", [3]string{"-", "-", "-"}},

		{"replaced by rename, synced before", func(t *testing.T, d *Disk) {
			keep(t, d, "f", "old")
			must(t, put(t, d, "f.tmp", "new").Sync())
			must(t, os.Rename(d.at("f.tmp"), d.at("f")))
		}, "f", [3]string{"old", "old", "old"}},

		{"replaced by rename, synced after", func(t *testing.T, d *Disk) {
			keep(t, d, "f", "old")
			f := put(t, d, "f.tmp", "new")
			must(t, os.Rename(d.at("f.tmp"), d.at("f")))
			must(t, f.Sync())
		}, "f", [3]string{"old", "new", "new"}},

		{"replaced by rename, the old file synced", func(t *testing.T, d *Disk) {
			f := keep(t, d, "f", "old")
			must(t, put(t, d, "f.tmp", "new").Sync())
			must(t, os.Rename(d.at("f.tmp"), d.at("f")))
			must(t, f.Sync())
		}, "f", [3]string{"old", "old", "new"}},

		{"replaced by rename, directory synced", func(t *testing.T, d *Disk) {
			keep(t, d, "f", "old")
			must(t, put(t, d, "f.tmp", "new").Sync())
			must(t, os.Rename(d.at("f.tmp"), d.at("f")))
			syncDir(t, d, ".")
		}, "f", [3]string{"new", "new", "new"}},

		{"moved, only the directory it left synced", func(t *testing.T, d *Disk) {
			must(t, os.Mkdir(d.at("a"), 0o755))
			keep(t, d, "f", "old")
			must(t, os.Rename(d.at("f"), d.at("a/f")))
			syncDir(t, d, ".")
		}, "a/f", [3]string{"-", "-", "old"}},

		{"pointer swapped by rename, directory synced", func(t *testing.T, d *Disk) {
			keep(t, d, "one", "old")
			keep(t, d, "two", "new")
			must(t, os.Symlink("one", d.at("f")))
			syncDir(t, d, ".")
			must(t, os.Symlink("two", d.at("f.tmp")))
			must(t, os.Rename(d.at("f.tmp"), d.at("f")))
			syncDir(t, d, ".")
		}, "f", [3]string{"new", "new", "new"}},
	}
	for i, rule := range Rules {
		for _, test := range tests {
			t.Run(rule.String()+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				d := mount(t, Config{Rule: rule})
				test.do(t, d)
				powerCycle(t, d, Lost, 1)
				if got := get(t, d, test.file); got != test.want[i] {
					t.Errorf("the file holds %q, want %q", got, test.want[i])
				}
			})
		}
	}
}

func TestOpenFlags(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{})

	f, err := os.OpenFile(d.at("synced"), os.O_CREATE|os.O_WRONLY|os.O_SYNC, 0o644)
	must(t, err)
	_, err = f.WriteString("kept")
	must(t, err)
	must(t, f.Close())

	must(t, os.WriteFile(d.at("log"), []byte("one,"), 0o644))
	f, err = os.OpenFile(d.at("log"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString("two")
	must(t, err)
	must(t, f.Close())
	if got := get(t, d, "log"); got != "one,two" {
		t.Errorf("an append gave %q", got)
	}

	must(t, os.WriteFile(d.at("log"), []byte("1"), 0o644))
	if got := get(t, d, "log"); got != "1" {
		t.Errorf("O_TRUNC left %q", got)
	}
	if _, err := os.OpenFile(d.at("log"), os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, os.ErrExist) {
		t.Errorf("O_EXCL on an existing file: %v", err)
	}

	syncDir(t, d, ".")
	powerCycle(t, d, Lost, 1)
	if got := get(t, d, "synced"); got != "kept" {
		t.Errorf("a write with O_SYNC left %q", got)
	}
}

func TestUnlinkedFileLivesWhileOpen(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{Rule: Journal})
	f := keep(t, d, "f", "old")
	must(t, os.Remove(d.at("f")))
	put(t, d, "f", "other")

	_, err := f.WriteAt([]byte("own"), 0)
	must(t, err)
	must(t, f.Sync())
	b := make([]byte, 3)
	_, err = f.ReadAt(b, 0)
	must(t, err)
	if string(b) != "own" || get(t, d, "f") != "other" {
		t.Errorf("the open file holds %q, its name %q", b, get(t, d, "f"))
	}
}

func TestDirectories(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{})
	must(t, os.MkdirAll(d.at("a/b"), 0o755))
	put(t, d, "a/f", "x")
	must(t, os.Link(d.at("a/f"), d.at("a/g")))

	if err := os.Remove(d.at("a")); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("removing a full directory: %v", err)
	}
	must(t, os.Rename(d.at("a"), d.at("c")))
	list, err := os.ReadDir(d.at("c"))
	must(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	if len(names) != 3 || names[0] != "b" || names[1] != "f" || names[2] != "g" {
		t.Errorf("the directory lists %q", names)
	}
	must(t, os.RemoveAll(d.at("c")))
	if _, err := os.Stat(d.at("c")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a removed directory: %v", err)
	}
}

// TestTorn: a file that grew without a sync comes back as its beginning, cut at
// a sector or between two writes.
func TestTorn(t *testing.T) {
	t.Parallel()
	const header, record = 700, 1000
	data := bytes.Repeat([]byte{'h'}, header)
	for i := range 8 {
		data = append(data, bytes.Repeat([]byte{byte('0' + i)}, record)...)
	}

	lengths := map[int]bool{}
	d := mount(t, Config{})
	for seed := range uint64(40) {
		f := keep(t, d, "f", string(data[:header]))
		must(t, f.Truncate(header))
		must(t, f.Sync())
		for off := header; off < len(data); off += record {
			_, err := f.WriteAt(data[off:off+record], int64(off))
			must(t, err)
		}
		powerCycle(t, d, Torn, seed)

		got := get(t, d, "f")
		if len(got) < header || got != string(data[:len(got)]) {
			t.Fatalf("seed %d: %d bytes came back that are not the beginning of the file", seed, len(got))
		}
		if n := len(got); n%sectorBytes != 0 && (n-header)%record != 0 {
			t.Fatalf("seed %d: torn at %d, inside a sector", seed, n)
		}
		lengths[len(got)] = true
	}
	if len(lengths) < 10 {
		t.Errorf("40 cuts tore the file in only %d places", len(lengths))
	}
}

// TestScattered: each sector of an overwritten file comes back old or new, and
// over some seeds every sector does both.
func TestScattered(t *testing.T) {
	t.Parallel()
	const sectors = 16
	d := mount(t, Config{})
	var wasOld, wasNew [sectors]bool
	for seed := range uint64(30) {
		f := keep(t, d, "f", string(bytes.Repeat([]byte{'o'}, sectors*sectorBytes)))
		_, err := f.WriteAt(bytes.Repeat([]byte{'n'}, sectors*sectorBytes), 0)
		must(t, err)
		powerCycle(t, d, Scattered, seed)

		got := get(t, d, "f")
		for i := range sectors {
			sector := got[i*sectorBytes : (i+1)*sectorBytes]
			if n := bytes.Count([]byte(sector), []byte{sector[0]}); n != sectorBytes {
				t.Fatalf("seed %d: sector %d is half old, half new", seed, i)
			}
			wasOld[i] = wasOld[i] || sector[0] == 'o'
			wasNew[i] = wasNew[i] || sector[0] == 'n'
		}
	}
	for i := range sectors {
		if !wasOld[i] || !wasNew[i] {
			t.Errorf("sector %d: ever old %v, ever new %v", i, wasOld[i], wasNew[i])
		}
	}
}

// TestNamesScattered: without a sync each name survives or not by itself, but
// under the rule Journal they survive in order.
func TestNamesScattered(t *testing.T) {
	t.Parallel()
	const files = 8
	for _, rule := range Rules {
		t.Run(rule.String(), func(t *testing.T) {
			t.Parallel()
			inOrder, outOfOrder := 0, 0
			for seed := range uint64(20) {
				d := mount(t, Config{Rule: rule})
				for i := range files {
					put(t, d, string(rune('a'+i)), "")
				}
				powerCycle(t, d, Scattered, seed)
				list, err := os.ReadDir(d.at("."))
				must(t, err)
				if len(list) == 0 || list[len(list)-1].Name() == string(rune('a'+len(list)-1)) {
					inOrder++
				} else {
					outOfOrder++
				}
			}
			if (rule == Journal) != (outOfOrder == 0) {
				t.Errorf("names survived in order %d times, out of order %d times", inOrder, outOfOrder)
			}
		})
	}
}

func TestSameSeedLeavesSameDisk(t *testing.T) {
	t.Parallel()
	for _, fate := range []Fate{Torn, Scattered} {
		var images [2]string
		for i := range images {
			d := mount(t, Config{})
			for _, name := range []string{"a", "b", "c", "d"} {
				keep(t, d, name, string(bytes.Repeat([]byte{'o'}, 8*sectorBytes)))
				put(t, d, name, string(bytes.Repeat([]byte{'n'}, 8*sectorBytes)))
				must(t, os.Rename(d.at(name), d.at(name+"2")))
			}
			powerCycle(t, d, fate, 7)
			for _, name := range []string{"a", "b", "c", "d", "a2", "b2", "c2", "d2"} {
				images[i] += name + "=" + get(t, d, name) + ";"
			}
		}
		if images[0] != images[1] {
			t.Errorf("%s: two cuts with one seed differ", fate)
		}
	}
}

func TestCutFailsEverythingOnTheOldMount(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{})
	f := keep(t, d, "f", "old")
	dir, err := os.Open(d.at("."))
	must(t, err)
	defer dir.Close()
	powerCycle(t, d, Lost, 1)

	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("write: %v", err)
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("fsync: %v", err)
	}
	if err := f.Truncate(0); !errors.Is(err, syscall.EIO) {
		t.Errorf("truncate: %v", err)
	}
	if err := dir.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("fsync of a directory: %v", err)
	}
	if got := get(t, d, "f"); got != "old" {
		t.Errorf("the new mount shows %q", got)
	}
}

// TestCutDuringSync: a sync that has not returned promised nothing.
func TestCutDuringSync(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{Rule: Journal, SyncDelay: 200 * time.Millisecond})
	f := put(t, d, "f", "new")
	synced := make(chan error)
	go func() { synced <- f.Sync() }()
	for d.Stats().SyncsBegun == 0 {
		time.Sleep(time.Millisecond)
	}
	powerCycle(t, d, Lost, 1)
	if err := <-synced; !errors.Is(err, syscall.EIO) {
		t.Errorf("the sync that the cut met: %v", err)
	}
	if got := get(t, d, "f"); got != "-" {
		t.Errorf("its file holds %q", got)
	}
}

func TestChainOfCuts(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{})
	want := ""
	for i := range 10 {
		want += string(rune('0' + i))
		keep(t, d, "f", want)
		put(t, d, "f", "lost, all of it")
		if loss := powerCycle(t, d, Lost, 1); loss.Writes != 1 || loss.Bytes != 15 {
			t.Errorf("cut %d: %s", i, loss)
		}
		if got := get(t, d, "f"); got != want {
			t.Fatalf("after cut %d the file holds %q, want %q", i, got, want)
		}
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{})
	keep(t, d, "f", "x")
	if got := d.Stats(); got != (Stats{Writes: 1, SyncsBegun: 2, FileSyncs: 1, DirSyncs: 1}) {
		t.Errorf("counted %+v", got)
	}
}
