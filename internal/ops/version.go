package ops

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker: -ldflags "-X sluice/internal/ops.version=…".
var (
	version string
	commit  string
)

// Version returns what this program was built from: the release, else the
// commit, else "unknown".
func Version() string { return cmp.Or(version, revision()) }

// Build returns Version, the commit and the Go that made this program, as people
// quote it in a report.
func Build() string {
	return fmt.Sprintf("%s (commit %s, %s, %s/%s)", Version(), revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// revision is the commit that the linker was told of, else the one that the go
// command found.
func revision() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "unknown"
}
