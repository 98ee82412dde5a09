package fault

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sluice/test/harness"
)

// call is one system call of a traced process. A call that another thread's came
// between is two lines of the trace: where it began and where it ended.
type call struct {
	name  string
	path  string // of the file that its first argument is a descriptor of
	args  string // the text of the others
	began int    // line of the trace
	ended int    // likewise; 0 when the trace ended before
	ok    bool   // it did not fail
}

func (c *call) writes() bool {
	switch c.name {
	case "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg":
		return true
	}
	return false
}

// syncs tells of a call that makes a file durable; of one that only begins to, see
// asynchronous.
func (c *call) syncs() bool {
	return c.name == "fsync" || c.name == "fdatasync" || c.name == "io_submit" && c.path != ""
}

const tracedCalls = "write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,sync_file_range,syncfs,sync,msync,io_uring_enter,io_submit,io_getevents"

// trace runs during while strace watches the process, and returns its calls in
// the order in which they began.
//
// The order of lines is the order of causes: a thread is held where a call
// begins and where it ends until strace has taken note, so what one thread does
// because another has finished comes on a later line.
func trace(t *testing.T, pid int, during func()) []*call {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		notProven(t, "the order of system calls: strace is not installed")
	}
	out := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(path, "-f", "-y", "-s", "600", "-e", "trace="+tracedCalls, "-e", "signal=none",
		"-o", out, "-p", strconv.Itoa(pid))
	said := &output{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // ended by the signal below, or what it said tells why
	}()
	harness.Eventually(t, "strace attached to the process", func() bool {
		select {
		case <-ended:
			if strings.Contains(said.String(), "not permitted") {
				notProven(t, "the order of system calls: strace may not watch: %s", said)
			}
			t.Fatalf("strace: %s", said)
		default:
		}
		return strings.Contains(said.String(), "attached")
	})
	during()
	_ = cmd.Process.Signal(syscall.SIGINT) // detach; fails only when it has ended
	<-ended

	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return parseTrace(t, bufio.NewScanner(f))
}

// output is what a process says, read while it goes on.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Lines of strace -f -y -o (strace(1)):
//
//	4711  fdatasync(12</d/1.blk>) = 0
//	4711  fdatasync(12</d/1.blk> <unfinished ...>
//	4711  <... fdatasync resumed>) = 0
var (
	beginLine  = regexp.MustCompile(`^(\d+) +(\w+)\((?:\d+<([^>]*)>)?(.*)$`)
	resumeLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	resultText = regexp.MustCompile(` = (-?\d+)[^"]*$`)
)

// An fdatasync that is submitted, and how it ended:
//
//	4711  io_submit(0x7f, 1, [{aio_data=0, aio_lio_opcode=IOCB_CMD_FDSYNC, aio_fildes=8</d/1.blk>}]) = 1
//	4712  io_getevents(0x7f, 1, 1, [{data=0, obj=0x26, res=0, res2=0}], NULL) = 1
var (
	submitText = regexp.MustCompile(`IOCB_CMD_FDSYNC, aio_fildes=\d+<([^>]*)>`)
	eventText  = regexp.MustCompile(` res=0,.* = 1$`)
)

// asynchronous makes of each fdatasync that was submitted, and the call that tells of
// its end, one call: the file is durable where the latter ends. Our programs submit
// one at a time.
func asynchronous(calls []*call) {
	var under *call
	for _, c := range calls {
		switch c.name {
		case "io_submit":
			if m := submitText.FindStringSubmatch(c.args); m != nil {
				under, c.path, c.ended, c.ok = c, m[1], 0, false
			}
		case "io_getevents":
			if under != nil && c.ended > 0 {
				under.ended, under.ok = c.ended, c.ok
				under = nil
			}
		}
	}
}

func parseTrace(t *testing.T, lines *bufio.Scanner) []*call {
	t.Helper()
	var calls []*call
	under := map[string]*call{} // by thread
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var c *call
		var rest string
		if m := resumeLine.FindStringSubmatch(lines.Text()); m != nil {
			if c, rest = under[m[1]], m[3]; c == nil {
				continue // it began before strace came
			}
		} else if m := beginLine.FindStringSubmatch(lines.Text()); m != nil {
			c, rest = &call{name: m[2], path: m[3], args: m[4], began: n}, m[4]
			calls = append(calls, c)
			under[m[1]] = c
		} else {
			continue // a thread came or went
		}
		if strings.HasSuffix(rest, "<unfinished ...>") {
			continue
		}
		if m := resultText.FindStringSubmatch(rest); m != nil {
			c.ended, c.ok = n, !strings.HasPrefix(m[1], "-")
			if c.name == "io_getevents" {
				c.ok = eventText.MatchString(rest)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	asynchronous(calls)
	return calls
}
