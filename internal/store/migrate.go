package store

import (
	"crypto/rand"
	"embed"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
)

// applicationID marks our databases in their header: "slui" in ASCII.
// https://www.sqlite.org/fileformat2.html#application_id
const applicationID = 0x736c7569

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one change of the schema.
type migration struct {
	script string

	// rebuild says that the change is too big to be made in place: every row would be
	// written again while nobody applies what comes. A new database has it; one that is
	// older is left as it is, and a rebuild takes its place.
	rebuild bool
}

// rebuildSuffix marks the files of such migrations.
const rebuildSuffix = ".rebuild.sql"

// historySchema is how many migrations a database must have had for a rebuild to
// carry rows over from it. A migration that changes what History and its like read
// raises it, or teaches them both.
const historySchema = 3

// migrations are the scripts in the order of their numbers. A database keeps how
// many it has had in SQLite's user_version.
var migrations = readMigrations()

func readMigrations() []migration {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted
	if err != nil {
		panic(err)
	}
	all := make([]migration, len(names))
	for i, name := range names {
		b, err := migrationFiles.ReadFile(name)
		if err != nil {
			panic(err)
		}
		all[i] = migration{script: string(b), rebuild: strings.HasSuffix(name, rebuildSuffix)}
	}
	return all
}

// schemaOf returns how many migrations a database has had: 0 for an empty file,
// ErrNotOurs for a database of something else.
func schemaOf(c *conn) (int, error) {
	id, err := c.one("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	version, err := c.one("PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	if integer(id[0]) == applicationID {
		return int(integer(version[0])), nil
	}
	tables, err := c.one("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, err
	}
	if integer(id[0]) != 0 || integer(version[0]) != 0 || integer(tables[0]) != 0 {
		return 0, fmt.Errorf("%w: it holds other tables", ErrNotOurs)
	}
	return 0, nil
}

// migrate brings the schema up to this program's, each migration in a
// transaction of its own. segmentBits counts for a new database only.
func migrate(c *conn, segmentBits int) error {
	version, err := schemaOf(c)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("%w: %d migrations, this program knows %d", ErrNewerSchema, version, len(migrations))
	}
	for isNew := version == 0; version < len(migrations); version++ {
		if migrations[version].rebuild && !isNew {
			return fmt.Errorf("%w: %d migrations, this program's have %d", ErrNeedsRebuild, version, len(migrations))
		}
		script := strings.ReplaceAll(migrations[version].script, "rid >> 16", fmt.Sprintf("rid >> %d", segmentBits))
		script = fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
			script, applicationID, version+1)
		if err := c.script(script); err != nil {
			_ = c.script("ROLLBACK") // fails when the script did not get as far as BEGIN
			return fmt.Errorf("migration %d: %w", version+1, err)
		}
	}
	return initMeta(c, segmentBits)
}

// initMeta chooses what never changes in a database, once.
func initMeta(c *conn, segmentBits int) error {
	var seed [8]byte
	rand.Read(seed[:]) // never fails
	return c.exec("INSERT INTO meta VALUES (1, ?, ?) ON CONFLICT DO NOTHING",
		int64(binary.LittleEndian.Uint64(seed[:])), int64(segmentBits))
}
