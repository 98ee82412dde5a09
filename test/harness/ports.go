package harness

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// given are the ports that FreeAddress has returned: whoever got one may not listen
// yet.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: make(map[int]bool)}

const (
	firstPort = 10_000
	ports     = 20_000
)

// FreeAddress returns a loopback address with a port that nobody listens on, and not
// one that it returned lately. It is below the ports that systems give to outgoing
// connections, so that none of those takes it before the program does.
func FreeAddress(t testing.TB) string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if len(given.ports) > ports/2 {
		clear(given.ports)
	}
	for range 1000 {
		port := firstPort + rand.IntN(ports)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		l.Close()
		given.ports[port] = true
		return addr
	}
	t.Fatal("no free port")
	return ""
}
