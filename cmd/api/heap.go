package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapFloor is how large the heap may get before it is collected, however little of
// it is in use. Go's rule, twice of what is in use, would collect a freshly started
// api each half second under load, and each time some hundred webhooks wait. In a
// burst more than half of this is in use, and it changes nothing.
const heapFloor = 96 << 20

// mostGCPercent bounds what is allocated before the next collection when one finds
// much more in use than the last did.
const mostGCPercent = 400

// gcPercent is Go's GOGC with which the next collection comes at the floor, but never
// sooner than usual.
func gcPercent(inUse, floor uint64, usual int) int {
	return max(usual, min(mostGCPercent, int(100*floor/max(1, inUse))-100))
}

// keepHeapFloor has the collector keep to heapFloor, from the next collection on,
// where usual, a GOGC, would have it come sooner. It looks after each collection: what
// it makes is not reachable, so the next one finds it.
func keepHeapFloor(usual int) {
	runtime.AddCleanup(new(collected), func(usual int) {
		inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(inUse)
		debug.SetGCPercent(gcPercent(inUse[0].Value.Uint64(), heapFloor, usual))
		keepHeapFloor(usual)
	}, usual)
}

// collected is an object of a size that shares its memory with no other.
type collected struct{ _ [64]byte }
