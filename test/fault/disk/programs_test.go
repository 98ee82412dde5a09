//go:build linux

package disk

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
)

// TestSharedMapping: what a program writes into a shared mapping is there for
// readers, and durable only after msync.
func TestSharedMapping(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{})
	keep(t, d, "f", string(make([]byte, 8192)))
	if got := runChild(t, d, "map"); got != "S synced U not\n" {
		t.Errorf("another descriptor of the mapped file read %q", got)
	}
	powerCycle(t, d, Lost, 1)
	if got := get(t, d, "f"); got[0] != 'S' || got[4096] != 0 {
		t.Errorf("after the cut the mapped file holds %q and %q", got[0], got[4096])
	}
}

// mapChild writes two pages of a mapping, syncs between them, and reads both
// with read(2).
func mapChild(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	m, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	m[0] = 'S'
	if err := unix.Msync(m, unix.MS_SYNC); err != nil {
		return err
	}
	m[4096] = 'U'
	b := make([]byte, 8192)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	fmt.Printf("%c synced %c not\n", b[0], b[4096])
	return nil
}

// TestLocks: the kernel keeps open-file-description locks, as on any disk.
func TestLocks(t *testing.T) {
	t.Parallel()
	d := mount(t, Config{})
	one, two := put(t, d, "f", ""), put(t, d, "f", "")
	lock := func(f *os.File, kind int16) error {
		return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind})
	}
	must(t, lock(one, unix.F_WRLCK))
	if err := lock(two, unix.F_WRLCK); err != syscall.EAGAIN {
		t.Errorf("a second exclusive lock: %v", err)
	}
	must(t, lock(one, unix.F_UNLCK))
	must(t, lock(two, unix.F_WRLCK))
}

// TestSQLite: a database in WAL mode that syncs each commit keeps them all
// through cuts at random moments, by every rule and fate.
func TestSQLite(t *testing.T) {
	t.Parallel()
	for _, rule := range Rules {
		t.Run(rule.String(), func(t *testing.T) {
			t.Parallel()
			d := mount(t, Config{Rule: rule})
			said := 0
			for cut := range uint64(4) {
				kill, lines := startChild(t, d, "insert")
				for range 20 + 10*cut {
					if !lines.Scan() {
						t.Fatal("the child ended")
					}
					said, _ = strconv.Atoi(lines.Text())
				}
				loss := powerCycle(t, d, FateOf(cut), cut)
				for lines.Scan() { // commits that were done before the cut
					said, _ = strconv.Atoi(lines.Text())
				}
				kill()
				got, err := strconv.Atoi(runChild(t, d, "count"))
				must(t, err)
				if got < said {
					t.Fatalf("cut %d (%s): %d rows committed, %d there", cut, loss, said, got)
				}
				said = got
			}
		})
	}
}

func openSQLite(dir string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=wal_autocheckpoint(20)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// insertChild adds rows until it is killed, and says the number of each once it
// is committed.
func insertChild(dir string) error {
	db, err := openSQLite(dir)
	if err != nil {
		return err
	}
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, pad BLOB)`); err != nil {
		return err
	}
	for {
		var n int
		if err := db.QueryRow(`INSERT INTO t (pad) VALUES (zeroblob(700)) RETURNING n`).Scan(&n); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// countChild checks the database and says how many rows it has.
func countChild(dir string) error {
	db, err := openSQLite(dir)
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("integrity check: %s %w", verdict, err)
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM t`).Scan(&n); err != nil {
		return err
	}
	fmt.Print(n)
	return nil
}

// TestNATSServer: a JetStream server works on the disk and finds its stream
// again after a stop; after a power cut it does not, as it syncs nothing within
// minutes.
func TestNATSServer(t *testing.T) {
	t.Parallel()
	const entries = 500
	d := mount(t, Config{Rule: Journal})

	serve(t, d, func(js jetstream.JetStream) {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		must(t, err)
		for range entries {
			_, err := js.Publish(t.Context(), "s", make([]byte, 200))
			must(t, err)
		}
	})
	last := func(js jetstream.JetStream) uint64 {
		s, err := js.Stream(t.Context(), "S")
		if err != nil {
			return 0
		}
		return s.CachedInfo().State.LastSeq
	}
	serve(t, d, func(js jetstream.JetStream) {
		if got := last(js); got != entries {
			t.Errorf("after a restart the stream ends at %d, want %d", got, entries)
		}
		_, err := js.Publish(t.Context(), "s", make([]byte, 200))
		must(t, err)
		powerCycle(t, d, Lost, 1)
	})
	serve(t, d, func(js jetstream.JetStream) {
		if got := last(js); got > entries {
			t.Errorf("an entry that nobody synced survived the cut: %d", got)
		}
	})
}

// serve runs a server on the disk while f works with it.
func serve(t *testing.T, d *Disk, f func(jetstream.JetStream)) {
	t.Helper()
	s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: d.at("js"), DontListen: true, NoSigs: true})
	must(t, err)
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := js.AccountInfo(ctx); err != nil {
		t.Fatal(err)
	}
	f(js)
}
