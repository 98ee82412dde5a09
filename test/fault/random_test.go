package fault

import (
	"flag"
	"math/rand/v2"
	"time"
)

var seed = flag.Uint64("seed", 1, "of every random choice")

// newRand returns the random choices of one test.
func newRand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(*seed, stream)) }

// moment waits for a random time below most: faults come when they like.
func moment(rng *rand.Rand, most time.Duration) {
	time.Sleep(time.Duration(rng.Int64N(int64(most))))
}
