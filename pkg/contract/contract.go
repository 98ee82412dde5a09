// Package contract is the HTTP API in Go: paths, headers, bodies and error codes;
// and what a running writer is asked over NATS. It refuses to know how a server
// makes them and how a client sends them.
package contract

// Paths of the API. PathMessage is a pattern: the id is percent-encoded and may
// hold anything, slashes included.
const (
	PathWebhook     = "/webhook"
	PathMessages    = "/messages"
	PathNDJSON      = "/messages.ndjson"
	PathCSV         = "/messages.csv"
	PathMessage     = "/messages/{message_id}"
	PathStats       = "/stats"
	PathTimeline    = "/stats/timeline"
	PathTail        = "/tail"
	PathPipeline    = "/pipeline"
	PathHealth      = "/health" // what the paths of health begin with
	PathHistory     = "/pipeline/history"
	PathEntry       = "/entries/{sequence}"
	PathRejections  = "/rejections"
	PathDeadLetters = "/dead-letters"
	PathRetry       = "/dead-letters/{sequence}/retry"
	PathDiscard     = "/dead-letters/{sequence}/discard"
	PathLive        = "/health/live"
	PathReady       = "/health/ready"
	PathReadyIngest = "/health/ready/ingest"
	PathReadyQuery  = "/health/ready/query"
	PathMetrics     = "/metrics"
	PathOpenAPI     = "/openapi.json"
	PathDocs        = "/docs"          // the API, to read and to try out
	PathDocsFile    = "/docs/{name}"   // what that page is made of
	PathPage        = "/"              // the operator's page
	PathAsset       = "/assets/{name}" // what it is made of
	PathLogin       = "/login"
	PathLogout      = "/logout"
)

// Headers of the API. Those that carry a webhook's signature are package
// signature's.
const (
	HeaderRequestID       = "X-Request-ID"       // of every answer: the caller's, if sane, else a new one
	HeaderTraceParent     = "traceparent"        // of a request: the trace it is a part of (W3C Trace Context)
	HeaderStreamSequence  = "X-Stream-Sequence"  // of a 200 to a webhook: the highest sequence of its messages
	HeaderLastEventID     = "Last-Event-ID"      // of a request for /tail: where its reader was
	HeaderAppliedSequence = "X-Applied-Sequence" // of a reading answer: the sequence that the database was at
)

// Media types of the bodies.
const (
	TypeJSON    = "application/json"
	TypeEvents  = "text/event-stream"
	TypeProblem = "application/problem+json" // RFC 9457, for who asks for it
	TypeNDJSON  = "application/x-ndjson"     // a MessageDetail a line
	TypeCSV     = "text/csv; charset=utf-8; header=present"
)
