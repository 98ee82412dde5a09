package fault

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/test/harness"
)

// peakMemory returns the most memory that a process had since resetPeak, in bytes
// (proc(5), VmHWM).
func peakMemory(t *testing.T, p *harness.Process) int64 {
	t.Helper()
	status := string(read(t, procFile(p, "status")))
	_, rest, ok := strings.Cut(status, "VmHWM:")
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.Split(rest, "kB")[0]), 10, 64)
	if !ok || err != nil {
		t.Fatalf("no VmHWM: %v\n%s", err, status)
	}
	return kilobytes << 10
}

// resetPeak begins a new peak (proc(5), clear_refs).
func resetPeak(t *testing.T, p *harness.Process) {
	t.Helper()
	if err := os.WriteFile(procFile(p, "clear_refs"), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// openFiles returns how many descriptors a process has.
func openFiles(t *testing.T, p *harness.Process) int {
	t.Helper()
	entries, err := os.ReadDir(procFile(p, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// openSockets returns how many of them are sockets.
func openSockets(t *testing.T, p *harness.Process) (count int) {
	t.Helper()
	links, err := filepath.Glob(procFile(p, "fd/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "socket:") { // else it is closed by now
			count++
		}
	}
	return count
}

func procFile(p *harness.Process, name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.PID()), name)
}

// allowFiles lets this process, and those it starts, have so many descriptors. It
// returns how many it may have.
func allowFiles(t *testing.T, count uint64) uint64 {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < count {
		limit.Cur = min(count, limit.Max)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	return limit.Cur
}
