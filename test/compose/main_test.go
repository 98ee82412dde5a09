// Package compose builds the images of deploy/compose and runs its files on a real
// Docker engine:
//
//   - What was answered 200 is in the database in the end, once, whichever
//     container was killed, restarted, or taken down and made anew.
//   - The images run as nobody, on a root file system that cannot be written.
//   - Secrets that come as files are in no environment.
//
// No registry is asked for anything: the base image is made from the Go that runs
// the test. It takes minutes, so it runs with -compose only; a machine without a
// Docker engine skips with a line that begins with NOT PROVEN. The short version, which
// CI runs, kills fewer containers of the clusters.
package compose

import (
	"flag"
	"os/exec"
	"testing"
)

var run = flag.Bool("compose", false, "build the images and run them on a Docker engine")

// needEngine skips the test where it cannot run.
func needEngine(t *testing.T) {
	t.Helper()
	if !*run {
		t.Skip("make test-compose runs it")
	}
	for _, command := range [][]string{{"docker", "version"}, {"sh", "../../deploy/compose/compose.sh", "version"}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("NOT PROVEN: the images and the Compose files: %q: %v\n%s", command, err, out)
		}
	}
}
