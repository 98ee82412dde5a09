package main

import (
	"net/http"

	"sluice/test/harness"
)

// startAPI starts a pipeline's api and returns once it takes webhooks.
func startAPI(p *harness.Pipeline) {
	p.API.Start()
	p.API.WaitStatus("/health/ready/ingest", http.StatusOK)
}
