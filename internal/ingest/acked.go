package ingest

import "sync/atomic"

// acked is a sequence that only rises.
type acked struct{ atomic.Uint64 }

func (a *acked) raise(seq uint64) {
	for {
		highest := a.Load()
		if seq <= highest || a.CompareAndSwap(highest, seq) {
			return
		}
	}
}
