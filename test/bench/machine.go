package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clockTicks is how many of /proc's ticks are a second: USER_HZ, which Linux
// fixes at 100 for programs.
const clockTicks = 100

// describeMachine tells what the figures were measured on: processors, memory,
// how busy others keep them, how much of them the host has given to others since
// before, and how long the disk of dir takes to sync a page.
func describeMachine(t testing.TB, dir string, before ticks) string {
	t.Helper()
	return fmt.Sprintf("%d processors (%s), %s, load %s before and by this, %.1f %% of the processors stolen by the host, sync of 4 KiB %v, %s %s/%s",
		runtime.NumCPU(), field("/proc/cpuinfo", "model name"), memory(), loadAverage(), processorTicks().stolenSince(before),
		syncTime(t, dir).Round(10*time.Microsecond), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// ticks is what /proc/stat says of all processors together; zero off Linux.
type ticks struct{ stolen, wanted uint64 }

// processorTicks reads them: user, nice, system, idle, iowait, irq, softirq, steal.
// Idle processors are wanted by nobody.
func processorTicks() (n ticks) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return n
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) {
		v, _ := strconv.ParseUint(f, 10, 64)
		switch i {
		case 1, 2, 3, 6, 7:
			n.wanted += v
		case 8:
			n.wanted, n.stolen = n.wanted+v, v
		}
	}
	return n
}

// stolenSince returns the percentage of the wanted ticks that were stolen.
func (n ticks) stolenSince(before ticks) float64 {
	return 100 * float64(n.stolen-before.stolen) / float64(max(1, n.wanted-before.wanted))
}

func memory() string {
	kib, _ := strconv.ParseUint(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64)
	return fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// field returns what a file of /proc says of a name, "unknown" when nothing.
func field(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// syncTime is the median of what it takes to append a page to a file and sync it.
func syncTime(t testing.TB, dir string) time.Duration {
	t.Helper()
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took []time.Duration
	for range 50 {
		start := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	return median(took)
}

// processorTime returns what a process has had of the processors: other work on
// the machine disturbs it less than the time that passes. 0 off Linux.
func processorTime(pid int) time.Duration {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold blanks
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTicks
}

// resident returns the memory of a process now and at its peak, in MiB; 0 off
// Linux.
func resident(pid int) (now, peak float64) {
	path := filepath.Join("/proc", strconv.Itoa(pid), "status")
	mib := func(name string) float64 {
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(field(path, name), " kB"), 64)
		return kib / 1024
	}
	return mib("VmRSS"), mib("VmHWM")
}

type ordered interface {
	~int64 | ~float64
}

// quantile returns the value below which q of the values lie; 0 when there are
// none. It sorts them.
func quantile[T ordered](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

func median[T ordered](values []T) T { return quantile(values, 0.5) }
