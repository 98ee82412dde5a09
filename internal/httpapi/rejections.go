package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/internal/source"
	"sluice/pkg/contract"
)

// Bounds of what is kept of refused deliveries.
const (
	maxRejections       = 200
	maxRejectionHeaders = 40
	maxRejectionText    = 256 // bytes of a name, a value, an id
	maxRejectionReason  = 1024

	// busyInterval is between two that are kept of those that are told to come again:
	// they are no fault of their senders, come by the thousand and are all alike.
	busyInterval = time.Second
)

// rejections keeps the latest refused deliveries.
type rejections struct {
	mu    sync.Mutex
	ring  [maxRejections]contract.Rejection
	kept  uint64
	total atomic.Uint64
	busy  atomic.Int64 // when one that is told to come again was kept, in Unix nanoseconds
}

// count counts a refusal and reports whether it is one to keep.
func (r *rejections) count(status int, now time.Time) bool {
	r.total.Add(1)
	if status != http.StatusServiceUnavailable {
		return true
	}
	last, at := r.busy.Load(), now.UnixNano()
	return at-last >= int64(busyInterval) && r.busy.CompareAndSwap(last, at)
}

func (r *rejections) keep(one contract.Rejection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.kept%maxRejections] = one
	r.kept++
}

// list returns the newest first.
func (r *rejections) list() contract.Rejections {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(r.kept, maxRejections)
	all := contract.Rejections{Data: make([]contract.Rejection, 0, n), Total: r.total.Load()}
	for i := range n {
		all.Data = append(all.Data, r.ring[(r.kept-1-i)%maxRejections])
	}
	return all
}

// reject counts a delivery that is refused with err, and keeps what is known of it.
func (s *Server) reject(c *fasthttp.RequestCtx, x *exchange, src source.Source, err error) {
	f, now := failureOf(err), time.Now()
	if !s.rejections.count(f.status, now) {
		return
	}
	reason := f.detail
	if f.status == http.StatusUnprocessableEntity || f.status == http.StatusUnauthorized {
		reason = err.Error() // which tells an operator more than a stranger
	}
	s.rejections.keep(contract.Rejection{
		At:        contract.Instant(now),
		Status:    f.status,
		Code:      f.code,
		Reason:    cut(reason, maxRejectionReason),
		Source:    src.Name(),
		Path:      x.route.pattern,
		Address:   c.RemoteIP().String(),
		RequestID: x.requestID,
		MessageID: cut(x.messageID, maxRejectionText),
		Headers:   maskedHeaders(&c.Request.Header),
	})
}

func maskedHeaders(h *fasthttp.RequestHeader) []contract.HeaderField {
	fields := make([]contract.HeaderField, 0, 8)
	tooLong := h.Peek(oversized)
	h.VisitAll(func(name, value []byte) {
		if len(fields) == maxRejectionHeaders || string(name) == oversized {
			return
		}
		if string(name) == fasthttp.HeaderContentLength && len(tooLong) > 0 {
			value = tooLong
		}
		f := contract.HeaderField{Name: cut(string(name), maxRejectionText)}
		if isSecret(f.Name) {
			f.Value = "••• (" + strconv.Itoa(len(value)) + " bytes)"
		} else {
			f.Value = cut(string(value[:min(len(value), maxRejectionText)]), maxRejectionText)
		}
		fields = append(fields, f)
	})
	return fields
}

// secretWords are in the names of the headers whose values are not shown.
var secretWords = []string{"auth", "cookie", "credential", "key", "password", "secret", "session", "signature", "token"}

func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// cut returns a copy of the first bytes of a text, as UTF-8.
func cut(s string, most int) string {
	return strings.Clone(strings.ToValidUTF8(s[:min(len(s), most)], "\uFFFD"))
}

// getRejections answers GET /rejections.
func (s *Server) getRejections(c *fiber.Ctx) error { return answer(c, s.rejections.list()) }
