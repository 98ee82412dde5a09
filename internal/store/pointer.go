package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The path of the database is a plain file at first. After a rebuild it is a
// symbolic link, the pointer, to a file with a name of its own: the generation. A
// file is never renamed over one that somebody has open with a log beside it:
// SQLite finds the log by the name, and would read the old one's with the new
// file. A link is followed first (unixFullPathname in SQLite's os_unix.c), so the
// log lies beside the generation.

// generationLayout is what is added to the database's name, the time of making.
// A name never comes again: a connection to an old file that is closed late
// removes the log of that name.
const generationLayout = ".gen-20060102T150405.000Z"

var generationName = regexp.MustCompile(`\.gen-\d{8}T\d{6}\.\d{3}Z$`)

// nextSuffix is added to the name of a pointer that is not in place yet.
const nextSuffix = ".next"

// makingPath is the file whose lock says that a generation is being made.
func makingPath(pointer string) string { return pointer + ".rebuild.lock" }

// lockMaking takes that lock, or returns ErrRebuilding.
func lockMaking(pointer string) (*os.File, error) {
	f, err := os.OpenFile(makingPath(pointer), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	free, err := tryLock(f)
	if err == nil && !free {
		err = ErrRebuilding
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// sweepTime is how long a writer that opens the database may have that lock.
const sweepTime = 2 * time.Second

// lockMakingSoon is lockMaking that waits for a writer which only sweeps.
func lockMakingSoon(ctx context.Context, pointer string) (*os.File, error) {
	for deadline := time.Now().Add(sweepTime); ; {
		f, err := lockMaking(pointer)
		if !errors.Is(err, ErrRebuilding) || time.Now().After(deadline) || ctx.Err() != nil {
			return f, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// generationBase returns what the names of a database's generations begin with:
// they lie where its file does.
func generationBase(pointer string) (string, error) {
	info, err := os.Lstat(pointer)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() {
		return pointer, nil
	}
	if err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(pointer)
	if err != nil {
		return "", err
	}
	return generationName.ReplaceAllString(target, ""), nil
}

// sweep removes generations that are not in service. The lock of lockMaking must
// be held.
func sweep(pointer string) error {
	base, err := generationBase(pointer)
	if err != nil {
		return err
	}
	inService, _ := filepath.EvalSymlinks(pointer) // "" when there is none
	entries, err := os.ReadDir(filepath.Dir(base))
	if err != nil {
		return err
	}
	errs := []error{remove(pointer + nextSuffix)}
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(e.Name(), walSuffix), shmSuffix)
		name = strings.TrimSuffix(strings.TrimSuffix(name, "-journal"), partialSuffix)
		at := filepath.Join(filepath.Dir(base), name)
		if generationName.ReplaceAllString(name, "") != filepath.Base(base) || !generationName.MatchString(name) {
			continue
		}
		if resolved, err := filepath.EvalSymlinks(at); err == nil && resolved == inService {
			continue
		}
		errs = append(errs, remove(filepath.Join(filepath.Dir(base), e.Name())))
	}
	if info, err := os.Lstat(pointer); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		errs = append(errs, remove(pointer+walSuffix), remove(pointer+shmSuffix)) // of the plain file that was here
	}
	return errors.Join(errs...)
}

// sweepUnlessMaking is sweep, when nobody makes a generation.
func sweepUnlessMaking(pointer string) error {
	f, err := lockMaking(pointer)
	if errors.Is(err, ErrRebuilding) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(sweep(pointer), f.Close())
}

// replaced is the file that was in service.
type replaced struct{ path string } // "" when there was none

// replacedBy makes the pointer lead to a generation, in one step: at every moment
// the path is one whole database or the other.
func replacedBy(pointer, generation string) (replaced, error) {
	old, err := filepath.EvalSymlinks(pointer)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return replaced{}, err
	}
	here, err := filepath.EvalSymlinks(filepath.Dir(pointer))
	if err != nil {
		return replaced{}, err
	}
	leadsTo := generation
	if there, err := filepath.EvalSymlinks(filepath.Dir(generation)); err == nil && there == here {
		leadsTo = filepath.Base(generation) // the directory may be moved as a whole
	}
	next := pointer + nextSuffix
	if err := errors.Join(remove(next), syncDir(filepath.Dir(generation))); err != nil {
		return replaced{}, err
	}
	if err := os.Symlink(leadsTo, next); err != nil {
		return replaced{}, err
	}
	if err := os.Rename(next, pointer); err != nil {
		return replaced{}, errors.Join(err, remove(next))
	}
	return replaced{old}, nil
}

// remove removes the replaced file. Who has it open goes on reading it, and the
// kernel frees it after them; its log stays while it holds something that a
// connection might still look for, until the next sweep.
func (r replaced) remove(pointer string) error {
	if r.path == "" {
		return nil
	}
	if info, err := os.Stat(r.path + walSuffix); err == nil && info.Size() > 0 {
		return nil
	}
	if info, err := os.Lstat(r.path); err == nil && info.Mode().IsRegular() {
		return removeDatabase(r.path)
	}
	// It was at the pointer's own place, and is gone.
	return errors.Join(remove(r.path+walSuffix), remove(r.path+shmSuffix))
}

// remove removes a file that need not be there.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tidyLog takes the log of the database in service into its file as far as its
// readers allow, so that the file alone is whole. That it cannot (there is none,
// it is damaged) is no reason not to replace it.
func tidyLog(pointer, mode string) {
	target, err := filepath.EvalSymlinks(pointer)
	if err != nil {
		return
	}
	c, err := openConn(target, "rw")
	if err != nil {
		return
	}
	if n, err := schemaOf(c); err == nil && n > 0 {
		_, _, _ = c.checkpointWAL(mode)
	}
	_ = c.close()
}
