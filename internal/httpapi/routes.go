package httpapi

import (
	"bytes"
	"log/slog"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/internal/ops"
	"sluice/internal/source"
	"sluice/pkg/contract"
)

// route is one path of the API and what answers there.
type route struct {
	method   string
	pattern  string // as the contract writes it, and metrics name it
	handler  fiber.Handler
	statuses []int      // that it answers with in the common run of things
	level    slog.Level // of its access log
}

// register builds the table of routes and gives it to Fiber, which answers 404
// and 405 by it.
func (s *Server) register() {
	const get, post = fasthttp.MethodGet, fasthttp.MethodPost
	const info, debug = slog.LevelInfo, slog.LevelDebug

	var table []*route
	for _, src := range s.cfg.Sources {
		table = append(table, &route{post, webhookPath(src), s.traced(s.postWebhook(src)), []int{200, 401, 413, 422, 429, 503}, info})
		if asked, ok := src.(source.Handshaker); ok {
			table = append(table, &route{get, webhookPath(src), s.getHandshake(asked), []int{200, 403}, info})
		}
	}
	table = append(table,
		&route{get, contract.PathMessages, s.getMessages, []int{200, 422, 503}, info},
		&route{get, contract.PathNDJSON, s.getExport(ndjson), []int{200, 422, 503}, info},
		&route{get, contract.PathCSV, s.getExport(csvFormat), []int{200, 422, 503}, info},
		&route{get, contract.PathMessage, s.getMessage, []int{200, 404, 503}, info},
		&route{get, contract.PathStats, s.getStats, []int{200, 503}, info},
		&route{get, contract.PathTimeline, s.getTimeline, []int{200, 422, 503}, info},
		&route{get, contract.PathTail, s.getTail, []int{200, 422, 503}, info},
		&route{get, contract.PathPipeline, s.getPipeline, []int{200}, info},
		&route{get, contract.PathHistory, s.getPipelineHistory, []int{200}, debug},
		&route{get, contract.PathEntry, s.getEntry, []int{200, 404, 503}, info},
		&route{get, contract.PathRejections, s.getRejections, []int{200}, info},
		&route{get, contract.PathDeadLetters, s.getDeadLetters, []int{200, 503}, info},
		&route{post, contract.PathRetry, s.postDeadLetter(contract.CommandRetryDeadLetters), []int{200, 403, 404, 409, 503}, info},
		&route{post, contract.PathDiscard, s.postDeadLetter(contract.CommandDiscardDeadLetters), []int{200, 403, 404, 409, 503}, info},
		&route{get, contract.PathLive, s.getLive, []int{200}, debug},
		&route{get, contract.PathReady, s.getReady(""), []int{200, 503}, debug},
		&route{get, contract.PathReadyIngest, s.getReady(ops.Ingest), []int{200, 503}, debug},
		&route{get, contract.PathReadyQuery, s.getReady(ops.Query), []int{200, 503}, debug},
		&route{get, contract.PathMetrics, s.getMetrics, []int{200}, debug},
		&route{get, contract.PathOpenAPI, s.getOpenAPI, []int{200}, info},
		&route{get, contract.PathDocs, s.getDocs, []int{200, 304}, info},
		&route{get, contract.PathDocsFile, s.getDocs, []int{200, 304, 404}, debug},
		&route{get, contract.PathPage, s.getPage, []int{200, 304}, debug},
		&route{get, contract.PathAsset, s.getAsset, []int{200, 304, 404}, debug},
	)
	if s.cfg.Guard != nil {
		table = append(table,
			&route{get, contract.PathLogin, s.getLogin, []int{303}, info},
			&route{post, contract.PathLogin, s.postLogin, []int{303, 401, 429}, info},
			&route{post, contract.PathLogout, s.postLogout, []int{303}, info},
		)
	}
	s.routes = newRouteTable(table)
	for _, r := range table {
		if r.method == get {
			s.app.Get(fiberPath(r.pattern), r.handler) // answers HEAD too
		} else {
			s.app.Add(r.method, fiberPath(r.pattern), r.handler)
		}
	}
}

// fiberPath writes a pattern as Fiber does. The id of a message may hold slashes:
// "+" takes whatever follows, but not nothing.
func fiberPath(pattern string) string {
	return strings.NewReplacer("{message_id}", "+", "{sequence}", ":sequence", "{name}", ":name").Replace(pattern)
}

// routeTable finds the route of a path, whatever the method, for logs and metrics.
type routeTable struct {
	all    []*route
	exact  map[string]*route
	others []openRoute
}

// openRoute is a route with a sequence or a name in its path.
type openRoute struct {
	before, behind []byte
	*route
}

// messagePrefix is what the path of one message starts with.
const messagePrefix = contract.PathMessages + "/"

func newRouteTable(all []*route) routeTable {
	t := routeTable{all: all, exact: map[string]*route{}}
	for _, r := range all {
		t.exact[r.pattern] = r
		before, rest, ok := strings.Cut(r.pattern, "{")
		if _, behind, _ := strings.Cut(rest, "}"); ok && r.pattern != contract.PathMessage {
			t.others = append(t.others, openRoute{[]byte(before), []byte(behind), r})
		}
	}
	return t
}

// find returns nil when there is no such path. path is as it was on the wire.
func (t *routeTable) find(path []byte) *route {
	if len(path) > len(messagePrefix) && bytes.HasPrefix(path, []byte(messagePrefix)) {
		return t.exact[contract.PathMessage]
	}
	if r := t.exact[string(path)]; r != nil {
		return r
	}
	for _, r := range t.others {
		if middle, ok := bytes.CutPrefix(path, r.before); ok {
			middle, ok = bytes.CutSuffix(middle, r.behind)
			if ok && len(middle) > 0 && bytes.IndexByte(middle, '/') < 0 {
				return r.route
			}
		}
	}
	return nil
}

// rawPath returns the path as it was on the wire, without the query: fasthttp
// would resolve dots, repeated slashes and escapes, all of which an id may hold.
func rawPath(c *fasthttp.RequestCtx) []byte { return c.URI().PathOriginal() }
