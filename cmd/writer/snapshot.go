package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/internal/store"
)

var snapshotCommand = command{
	name: "snapshot",
	does: "copy the database while the writer works",
	help: `Usage: writer snapshot FILE [--verify]
       writer snapshot - > FILE

Writes a consistent copy of the database, with its checkpoint, to a new file. The writer goes on meanwhile.
FILE appears when it is complete and on disk, not before; a file that is there already is not overwritten.
"-" writes the copy to standard output, from a container say, and needs its size on the database's disk meanwhile.

To restore: stop the writer, remove the database with its -wal and -shm, put the copy in its place, start the
writer. It applies what the stream has had since then.
`,
	prepare: func(o *operation) func(context.Context, []string) error {
		verify := o.flags.Bool("verify", false, "read the copy again and check every page, index and total")
		return func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return usageError("name one file")
			}
			if args[0] == "-" {
				return o.streamSnapshot(ctx, *verify)
			}
			return o.snapshot(ctx, args[0], *verify)
		}
	},
}

// snapshotLine is what was copied, in JSON.
type snapshotLine struct {
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	Messages int64  `json:"messages"`
	Sequence uint64 `json:"applied_sequence"`
	Stream   string `json:"stream"`
	Verified bool   `json:"verified"`
}

// streamSnapshot writes a snapshot to standard output, and what it is to standard error.
func (o *operation) streamSnapshot(ctx context.Context, verify bool) error {
	out := o.stdout
	o.stdout = o.stderr
	dir, err := os.MkdirTemp(filepath.Dir(o.settings.DatabaseURL.Path()), ".snapshot-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "app.db")
	if err := o.snapshot(ctx, file, verify); err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, f)
	return err
}

func (o *operation) snapshot(ctx context.Context, file string, verify bool) error {
	bar := o.newProgress()
	bar.phase("copy", "pages")
	st, err := store.Snapshot(ctx, o.settings.DatabaseURL.Path(), file, bar.show)
	bar.end()
	if err != nil {
		return err
	}
	if verify {
		if st, err = store.CheckFile(ctx, file); err != nil {
			return err
		}
	}
	if o.json {
		return o.print(snapshotLine{File: file, Bytes: st.Bytes, Messages: st.Messages,
			Sequence: st.Checkpoint.Seq, Stream: st.Checkpoint.StreamID, Verified: verify})
	}
	verified := ""
	if verify {
		verified = ", verified"
	}
	_, err = fmt.Fprintf(o.stdout, "%s: %d messages up to sequence %d, %d bytes%s\n", file, st.Messages, st.Checkpoint.Seq, st.Bytes, verified)
	return err
}
