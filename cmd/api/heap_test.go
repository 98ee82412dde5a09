package main

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGCPercent(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		inUse uint64
		usual int
		want  int
	}{
		{inUse: 0, usual: 100, want: 400},
		{inUse: 1 * mib, usual: 100, want: 400}, // 96 times as much might be far too much by then
		{inUse: 24 * mib, usual: 100, want: 300},
		{inUse: 40 * mib, usual: 100, want: 140},
		{inUse: 48 * mib, usual: 100, want: 100},
		{inUse: 500 * mib, usual: 100, want: 100},
		{inUse: 500 * mib, usual: 150, want: 150},
	} {
		if got := gcPercent(c.inUse, 96*mib, c.usual); got != c.want {
			t.Errorf("%d in use: %d, not %d", c.inUse, got, c.want)
		}
	}
}

func TestKeepHeapFloor_followsEachCollection(t *testing.T) {
	keepHeapFloor(100)
	for _, mib := range []int{40, 30, 22} { // of which Go would make 80, and what is right for one too little for the next
		live := make([]byte, mib<<20)
		runtime.GC()
		for goal() < heapFloor { // what follows a collection runs beside us
			time.Sleep(time.Millisecond)
		}
		runtime.KeepAlive(live)
	}
}

// goal returns the heap's size at which it is collected next.
func goal() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
