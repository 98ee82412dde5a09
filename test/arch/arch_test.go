// Package arch holds the import table of the architecture as a test: which
// package may know which. A change that fails here is a decision, not a detail.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "sluice/"

// charters lists what each of our packages may import of ours, and which foreign
// modules it alone knows.
var charters = map[string]struct{ ours, foreign []string }{
	"pkg/message":   {foreign: []string{jsonModule}},
	"pkg/signature": {},
	"pkg/contract":  {ours: []string{"pkg/message"}},
	"pkg/client":    {ours: []string{"pkg/contract", "pkg/message", "pkg/signature"}},

	"internal/source":      {ours: []string{"pkg/message", "pkg/signature"}, foreign: []string{jsonModule}},
	"internal/ingest":      {ours: []string{"internal/source", "pkg/message", "pkg/signature"}, foreign: []string{metricsModule, "golang.org/x/time"}},
	"internal/groupcommit": {},
	"internal/stream":      {ours: []string{"internal/groupcommit", "pkg/message"}, foreign: []string{natsModule, metricsModule}},
	"internal/natsd":       {foreign: []string{natsServerModule, sysModule, "github.com/minio/highwayhash"}},
	"internal/writer":      {ours: []string{"pkg/message"}, foreign: []string{metricsModule}},
	"internal/store": {ours: []string{"pkg/message"},
		foreign: []string{sqliteModule, sysModule, "golang.org/x/text", "github.com/FastFilter/xorfilter", "github.com/zeebo/xxh3"}},
	"internal/rebuild": {ours: []string{"internal/writer", "pkg/message"}},
	"internal/query":   {ours: []string{"pkg/message"}, foreign: []string{metricsModule}},
	"internal/httpapi": {
		ours:    []string{"internal/ingest", "internal/operator", "internal/ops", "internal/query", "internal/source", "internal/tracing", "internal/ui", "pkg/contract", "pkg/message", "pkg/signature"},
		foreign: []string{fiberModule, fasthttpModule, metricsModule, "github.com/nats-io/nuid", "github.com/google/uuid"}},
	"internal/operator": {foreign: []string{"golang.org/x/time"}},
	"internal/ui":       {foreign: []string{"github.com/swaggest/swgui"}},
	"internal/tracing":  {foreign: []string{"go.opentelemetry.io/otel"}},
	"internal/ops":      {foreign: []string{metricsModule, jsonModule}},
	"internal/config":   {foreign: []string{"github.com/caarlos0/env/v11"}},
}

const (
	fiberModule      = "github.com/gofiber/fiber/v2"
	fasthttpModule   = "github.com/valyala/fasthttp" // what Fiber stands on
	natsModule       = "github.com/nats-io/nats.go"
	natsServerModule = "github.com/nats-io/nats-server/v2"
	sqliteModule     = "modernc.org/sqlite"
	metricsModule    = "github.com/VictoriaMetrics/metrics"
	jsonModule       = "github.com/go-json-experiment/json"
	sysModule        = "golang.org/x/sys"
)

// isTestHelper reports whether a package exists for tests alone.
func isTestHelper(path string) bool {
	return strings.HasPrefix(path, "test/") || strings.HasSuffix(path, "test") && strings.HasPrefix(path, "internal/")
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
	Module     *struct{ Path string }
}

// list asks the go command about packages.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard,Module"}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestEachPackageImportsWhatItsCharterSays(t *testing.T) {
	for _, p := range list(t, module+"...") {
		path := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(path, "cmd/") || isTestHelper(path) {
			continue
		}
		charter, ok := charters[path]
		if !ok {
			t.Errorf("%s has no charter: add it here and to docs/ARCHITECTURE.md", path)
			continue
		}
		for _, imported := range p.Imports {
			ours, isOurs := strings.CutPrefix(imported, module)
			switch {
			case isOurs && !slices.Contains(charter.ours, ours):
				t.Errorf("%s must not import %s", path, ours)
			case !isOurs && isForeign(imported) && !slices.ContainsFunc(charter.foreign, within(imported)):
				t.Errorf("%s must not know %s", path, imported)
			}
		}
	}
}

// isForeign reports whether an import path is neither ours nor Go's own.
func isForeign(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".")
}

func within(imported string) func(string) bool {
	return func(mod string) bool { return imported == mod || strings.HasPrefix(imported, mod+"/") }
}

func TestTheWriterLinksNeitherFiberNorTheServer(t *testing.T) {
	for _, p := range list(t, module+"cmd/writer") {
		for _, dep := range p.Deps {
			for _, mod := range []string{fiberModule, fasthttpModule, natsServerModule} {
				if within(dep)(mod) {
					t.Errorf("cmd/writer links %s", dep)
				}
			}
		}
	}
}

func TestTheApiCannotWriteTheDatabaseSchema(t *testing.T) {
	for _, p := range list(t, module+"cmd/api") {
		if slices.Contains(p.Deps, module+"internal/writer") {
			t.Error("cmd/api links internal/writer: only the writer writes")
		}
	}
}
