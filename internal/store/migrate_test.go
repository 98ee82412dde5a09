package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpen_migratesFromEveryVersion(t *testing.T) {
	for version := range migrations {
		path := filepath.Join(t.TempDir(), "app.db")
		if version > 0 {
			execute(t, path, strings.Join(migrations[:version], ";")+fmt.Sprintf(
				"; INSERT INTO meta VALUES (1, 7, 16); PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version))
			unavailable(t, openReader(t, path), fmt.Sprintf("%d migrations", version))
		}
		s := openStore(t, tiny(path))
		g := newGenerator(1)
		apply(t, s, batchOf(stream1, g.entries(1, 200)...))
		checkDatabase(t, s)
		appliedUpTo(t, openReader(t, path), 200)
	}
}

func TestOpen_makesTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "app.db")
	s := openStore(t, tiny(path))
	apply(t, s, batchOf(stream1, newGenerator(1).entries(1, 10)...))
	appliedUpTo(t, openReader(t, path), 10)
}
