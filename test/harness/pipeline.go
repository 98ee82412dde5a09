package harness

import (
	"database/sql"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads the database as anybody may
)

// Secrets of every pipeline, unless its options say otherwise.
const (
	Secret = "system test secret"
	Token  = "system test token"
)

// Options change a pipeline from its defaults.
type Options struct {
	Dir     string            // the data directory, default a temporary one
	WorkDir string            // where the programs run, default the data directory
	API     map[string]string // the api's environment, beside the usual; an empty value unsets a variable
	Writer  map[string]string // the writer's, likewise
}

// Pipeline is an api with an embedded stream and a writer, on data and ports of
// their own. Neither of them is started.
type Pipeline struct {
	t      testing.TB
	API    *Process
	Writer *Process

	Dir      string // the data directory
	Database string // path of the database
	Addr     string // where the api listens for HTTP, host:port
	URL      string // the same as http://host:port
	Metrics  string // where the writer shows /health and /metrics, http://host:port
	NATS     string // where the embedded server listens, nats://host:port

	client    *http.Client
	writerEnv map[string]string
}

// New makes a pipeline that is not started.
func New(t testing.TB, o Options) *Pipeline {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.WorkDir == "" {
		o.WorkDir = o.Dir
	}
	httpAddr, natsAddr, writerAddr := FreeAddress(t), FreeAddress(t), FreeAddress(t)
	if listen := o.API["NATS_LISTEN"]; listen != "" {
		natsAddr = listen
	}
	p := &Pipeline{
		t:        t,
		Dir:      o.Dir,
		Database: filepath.Join(o.Dir, "app.db"),
		Addr:     httpAddr,
		URL:      "http://" + httpAddr,
		Metrics:  "http://" + writerAddr,
		NATS:     "nats://" + natsAddr,
		client: &http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: 128},
		},
	}
	t.Cleanup(p.client.CloseIdleConnections)

	common := map[string]string{"DATABASE_URL": "sqlite:///" + p.Database, "NATS_TOKEN": Token}
	api := merge(common, map[string]string{
		"WEBHOOK_SECRET": Secret, "HTTP_ADDR": httpAddr, "NATS_LISTEN": natsAddr,
		"NATS_STORE_DIR": filepath.Join(o.Dir, "jetstream"),
	}, o.API)
	writer := merge(common, map[string]string{"NATS_URL": p.NATS, "WRITER_HTTP_ADDR": writerAddr}, o.Writer)

	p.writerEnv = writer

	logDir := t.TempDir()
	p.API = newProcess(t, "api", o.WorkDir, logDir, p.URL, api)
	p.Writer = newProcess(t, "writer", o.WorkDir, logDir, p.Metrics, writer)
	return p
}

// Start makes a pipeline and starts both programs at once; it returns when both
// are ready.
func Start(t testing.TB, o Options) *Pipeline {
	t.Helper()
	p := New(t, o)
	p.StartBoth()
	return p
}

// StartBoth starts both programs at once and returns when both are ready.
func (p *Pipeline) StartBoth() {
	p.t.Helper()
	p.API.Start()
	p.Writer.Start()
	p.API.WaitReady()
	p.Writer.WaitReady()
}

// Open opens the database for reading, as sqlite3 does.
func (p *Pipeline) Open() *sql.DB {
	p.t.Helper()
	return OpenDatabase(p.t, p.Database)
}

// OpenDatabase opens a database for reading, as sqlite3 does, until the test
// ends.
func OpenDatabase(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Texts returns the only column of a query's rows.
func Texts(t testing.TB, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// CopyDatabase copies the database, which no writer may have open, into a
// directory and returns the copy's path.
func (p *Pipeline) CopyDatabase(dir string) string {
	p.t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(p.Database + suffix)
		if suffix != "" && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "copy.db"+suffix), b, 0o644)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	return filepath.Join(dir, "copy.db")
}

// merge returns all variables, later ones instead of earlier ones and without
// those that end up empty.
func merge(all ...map[string]string) map[string]string {
	env := map[string]string{}
	for _, vars := range all {
		maps.Copy(env, vars)
	}
	maps.DeleteFunc(env, func(_, v string) bool { return v == "" })
	return env
}

// Eventually waits until f holds, and fails the test when it never does.
func Eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("%s: not within %v", what, startLimit)
}

// NewWriter makes another writer on the same database, not started. It shows
// /health and /metrics at an address of its own.
func NewWriter(t testing.TB, p *Pipeline) *Process {
	t.Helper()
	addr := FreeAddress(t)
	env := merge(p.writerEnv, map[string]string{"WRITER_HTTP_ADDR": addr})
	return newProcess(t, "writer", p.Dir, t.TempDir(), "http://"+addr, env)
}
