package ingest

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/source"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// Result is what a delivery is counted and logged as.
type Result string

// The results.
const (
	Created          Result = "created"           // at least one message was new
	Duplicate        Result = "duplicate"         // the stream knew every message
	InvalidSignature Result = "invalid_signature" // nothing was parsed
	Invalid          Result = "validation_error"  // nothing was published
	Unavailable      Result = "unavailable"       // the stream did not take it
	TooLarge         Result = "too_large"         // the body was not read to its end
	Limited          Result = "rate_limited"      // one too many of its source
)

var results = []Result{Created, Duplicate, InvalidSignature, Invalid, Unavailable, TooLarge, Limited}

// counters of each source, by its name.
type counters map[string]*sourceCounters

type sourceCounters struct {
	requests   map[Result]*metrics.Counter           // webhook_requests_total{source,result}
	signatures map[signature.Secret]*metrics.Counter // webhook_signatures_total{source,secret}
	entries    map[entryLabels]*metrics.Counter      // webhook_entries_total{source,kind,result}
}

// entryLabels tell what kind of entry a delivery brought, and whether the stream
// knew it already.
type entryLabels struct {
	kind   string
	result Result
}

// The kinds of entries.
const (
	kindMessage = "message"
	kindStatus  = "status"
	kindUnknown = "unknown"
)

func newCounters(set *metrics.Set, sources []source.Source) counters {
	all := counters{}
	for _, s := range sources {
		one := &sourceCounters{map[Result]*metrics.Counter{}, map[signature.Secret]*metrics.Counter{}, map[entryLabels]*metrics.Counter{}}
		for _, r := range results {
			one.requests[r] = set.NewCounter(fmt.Sprintf("webhook_requests_total{source=%q,result=%q}", s.Name(), r))
		}
		for _, secret := range []signature.Secret{signature.Current, signature.Previous} {
			one.signatures[secret] = set.NewCounter(fmt.Sprintf("webhook_signatures_total{source=%q,secret=%q}", s.Name(), secret))
		}
		for _, kind := range []string{kindMessage, kindStatus, kindUnknown} {
			for _, r := range []Result{Created, Duplicate} {
				one.entries[entryLabels{kind, r}] = set.NewCounter(fmt.Sprintf("webhook_entries_total{source=%q,kind=%q,result=%q}", s.Name(), kind, r))
			}
		}
		all[s.Name()] = one
	}
	return all
}

func (all counters) add(s source.Source, r Result) { all[s.Name()].requests[r].Inc() }

// signed counts which secret a sender uses.
func (all counters) signed(s source.Source, secret signature.Secret) {
	all[s.Name()].signatures[secret].Inc()
}

// published counts the entries of a delivery.
func (all counters) published(s source.Source, c *source.Content, receipts []message.Receipt) {
	count := func(kind string, n int) {
		var duplicates int
		for _, r := range receipts[:n] {
			if r.Duplicate {
				duplicates++
			}
		}
		receipts = receipts[n:]
		all[s.Name()].entries[entryLabels{kind, Created}].Add(n - duplicates)
		all[s.Name()].entries[entryLabels{kind, Duplicate}].Add(duplicates)
	}
	count(kindMessage, len(c.Messages))
	count(kindStatus, len(c.Statuses))
	count(kindUnknown, len(c.Unknown))
}
