package compose

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// goImage makes an image of this machine's Go and of the modules it has fetched,
// for the Dockerfile to build with, and returns its name. There is one for each
// release of Go and each go.sum.
func goImage(t *testing.T) string {
	t.Helper()
	sum, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("sluice-test-go:%s-%x", runtime.Version(), sha256.Sum256(sum))[:48]
	if exec.Command("docker", "image", "inspect", name).Run() == nil {
		return name
	}
	command(t, "go", "list", "-deps", "../../cmd/...") // fetches what is missing
	root, modules := goEnv(t, "GOROOT"), goEnv(t, "GOMODCACHE")
	skeleton := t.TempDir()
	if err := os.Mkdir(filepath.Join(skeleton, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	layer := filepath.Join(t.TempDir(), "go.tar")
	command(t, "tar", "-cf", layer, "--exclude=./test", "--exclude=./api", "--exclude=./doc", "--transform=s,^[.],go,", "-C", root, ".")
	command(t, "tar", "-rf", layer, "--transform=s,^[.],proxy,", "-C", filepath.Join(modules, "cache", "download"), ".")
	command(t, "tar", "-rf", layer, "-C", skeleton, "tmp")
	command(t, "docker", "import", "-c", "ENV PATH=/go/bin", "-c", "ENV HOME=/tmp",
		"-c", "ENV GOPROXY=file:///proxy", "-c", "ENV GOSUMDB=off", layer, name)
	return name
}

// natsImage makes an image of the nats-server that go.mod names.
func natsImage(t *testing.T) string {
	t.Helper()
	const name = "sluice-test-nats:local"
	dir := t.TempDir()
	t.Setenv("CGO_ENABLED", "0")
	command(t, "go", "build", "-trimpath", "-o", filepath.Join(dir, "nats-server"), "github.com/nats-io/nats-server/v2")
	layer := filepath.Join(t.TempDir(), "nats.tar")
	command(t, "tar", "-cf", layer, "-C", dir, "nats-server")
	command(t, "docker", "import", "-c", `ENTRYPOINT ["/nats-server"]`, layer, name)
	return name
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(command(t, "go", "env", name))
}

// command runs a command that has to succeed and returns what it printed.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
