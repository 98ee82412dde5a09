package main

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"sluice/internal/config"
	"sluice/internal/source"
)

// secretsEvery is how often the files of the senders' secrets are read again.
const secretsEvery = 2 * time.Second

// rotate has the sources take the senders' secrets from their files whenever those
// change, and at once on SIGHUP, until ctx ends. The other variables stay as they
// were at the start.
func (s *settings) rotate(ctx context.Context, environ map[string]string, sources []source.Source, log *slog.Logger) error {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	applied := s.secrets()
	w := config.Watch[map[string]source.Secrets]{
		Load:  func() (map[string]source.Secrets, error) { return loadSecrets(environ) },
		Same:  maps.Equal[map[string]source.Secrets, map[string]source.Secrets],
		Asked: asked,
		Warn:  func(err error) { log.Warn("the senders' secrets stay as they were", "reason", err) },
		Apply: func(found map[string]source.Secrets) error {
			for _, src := range sources {
				if found[src.Name()] == applied[src.Name()] {
					continue
				}
				if err := src.Rotate(found[src.Name()]); err != nil {
					return err
				}
				log.Info("other secrets from now on", "source", src.Name(), "previous", found[src.Name()].Previous != "")
			}
			applied = found
			return nil
		},
	}
	if hasSecretFiles(environ) {
		w.Every = secretsEvery
	}
	return w.Run(ctx, applied)
}

// loadSecrets reads the senders' secrets as they are now.
func loadSecrets(environ map[string]string) (map[string]source.Secrets, error) {
	var s settings
	if err := config.Load(&s, environ); err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	return s.secrets(), nil
}

func hasSecretFiles(environ map[string]string) bool {
	for name, path := range environ {
		if strings.HasSuffix(name, "_FILE") && path != "" {
			return true
		}
	}
	return false
}
