package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sluice/internal/config"
	"sluice/internal/ops"
)

// healthcheck asks the writer that runs with this environment for its health. It
// reads no more than the address: the engine that runs it each few seconds need
// not have the secrets.
func healthcheck(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) (exit int) {
	var s struct {
		HTTPAddr string `env:"WRITER_HTTP_ADDR" envDefault:"127.0.0.1:8001"`
	}
	err := config.Load(&s, environ)
	if err == nil {
		var body string
		if body, err = ops.Probe(ctx, s.HTTPAddr, args...); err == nil {
			fmt.Fprintln(stdout, body)
			return exitDone
		}
	}
	fmt.Fprintln(stderr, "writer healthcheck:", err)
	if errors.Is(err, ops.ErrNoProbe) {
		return exitUsage
	}
	return exitFailed
}
