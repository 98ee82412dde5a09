// Package ops is what an operator sees of a process: its log, its health, its
// metrics page and its version. It refuses to know any component: checks and
// metrics are handed to it.
package ops

import (
	"encoding/json"
	"io"
	"net/http"
)

// Handler serves /health/live, /health/ready, /health/ready/ingest,
// /health/ready/query and /metrics, for a program that serves nothing else.
func Handler(health *Health, writeMetrics func(io.Writer)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/health/live", get(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}))
	for path, side := range map[string]Side{
		"/health/ready":        "",
		"/health/ready/ingest": Ingest,
		"/health/ready/query":  Query,
	} {
		mux.Handle(path, get(func(w http.ResponseWriter, r *http.Request) {
			ready, checks := health.Report(r.Context(), side)
			if ready {
				writeJSON(w, http.StatusOK, readiness{"ready", checks})
			} else {
				writeJSON(w, http.StatusServiceUnavailable, readiness{"not ready", checks})
			}
		}))
	}
	mux.Handle("/metrics", get(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", MetricsContentType)
		writeMetrics(w)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusNotFound, map[string]string{"detail": "Not Found"})
	})
	return mux
}

type readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

func get(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"detail": "Method Not Allowed"})
			return
		}
		serve(w, r)
	})
}

// writeJSON answers with body. A client that has gone is not an error.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
