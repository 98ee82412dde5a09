//go:build linux

package disk

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// children are programs that a test runs on a disk in processes of their own,
// because they map files into memory. Each gets the disk's directory, says on
// standard output what it has done, and exits with 1 when something failed.
var children = map[string]func(dir string) error{
	"map":    mapChild,
	"insert": insertChild,
	"count":  countChild,
}

func TestMain(m *testing.M) {
	child, ok := children[os.Getenv("DISK_TEST_CHILD")]
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(os.Getenv("DISK_TEST_DIR")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// startChild runs a child; lines delivers what it says and ends with it.
func startChild(t *testing.T, d *Disk, name string) (kill func(), lines *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DISK_TEST_CHILD="+name, "DISK_TEST_DIR="+d.config.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	return kill, bufio.NewScanner(out)
}

// runChild runs a child to its end and returns what it said.
func runChild(t *testing.T, d *Disk, name string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DISK_TEST_CHILD="+name, "DISK_TEST_DIR="+d.config.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("child %s: %v: %s", name, err, stderr.Bytes())
	}
	return string(out)
}
