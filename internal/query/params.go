package query

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/pkg/message"
)

// Limits of parameters.
const (
	defaultLimit      = 50
	maxLimit          = 100
	maxTextCharacters = message.MaxTextCharacters // of q: a longer one is in no text

	// The largest integer that every reader of JSON holds exactly, and Go's int.
	maxOffset = min(1<<53-1, math.MaxInt)
)

// Codes of the errors of a parameter, beside those of package message.
const (
	CodeInteger = "int_parsing"
	CodeRange   = "out_of_range"
	CodeChoice  = "literal_error"
	CodeCursor  = "cursor_invalid"
	CodeClash   = "mutually_exclusive"
)

// MessagesQuery is a question for messages.
type MessagesQuery struct {
	Page     message.PageRequest
	AfterSeq uint64 // wait until this sequence has been applied, 0 for none beside one's own
}

// ParseMessages reads limit, offset, from, to, since, until, q, order, cursor and
// after from the query part of a URL, as it is on the wire. Other parameters are
// ignored. The error is message.InvalidErrors and lists every parameter that
// breaks its rule, is there but empty (only q may be: it then selects every
// message), or is repeated.
func ParseMessages(rawQuery string) (MessagesQuery, error) {
	p := parse(rawQuery, append([]string{"limit", "offset", "order", "cursor", "after"}, filterNames...)...)
	q := MessagesQuery{
		Page: message.PageRequest{
			Filter: p.filter(),
			Limit:  int(p.integer("limit", 1, maxLimit, defaultLimit)),
			Offset: int(p.integer("offset", 0, maxOffset, 0)),
		},
		AfterSeq: p.sequence("after"),
	}
	p.position(&q.Page)
	return q, p.result()
}

// ParseExport reads from, to, since, until, q, order and after as ParseMessages
// does. An export has no pages, so what chooses one is ignored.
func ParseExport(rawQuery string) (ExportQuery, error) {
	p := parse(rawQuery, append([]string{"order", "after"}, filterNames...)...)
	q := ExportQuery{Filter: p.filter(), AfterSeq: p.sequence("after")}
	q.Descending, _ = p.order()
	return q, p.result()
}

// ParseAfter reads after alone, as ParseMessages does.
func ParseAfter(rawQuery string) (afterSeq uint64, err error) {
	p := parse(rawQuery, "after")
	afterSeq = p.sequence("after")
	return afterSeq, p.result()
}

// params is the known parameters of a query and what is wrong with them.
type params struct {
	values map[string]string
	errs   message.InvalidErrors
}

// parse splits the query. Blanks may be written as a plus (the HTML standard's
// application/x-www-form-urlencoded); a semicolon is a character like others.
func parse(rawQuery string, known ...string) *params {
	p := &params{values: map[string]string{}}
	refused := map[string]bool{}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !contains(known, name) || refused[name] {
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		_, repeated := p.values[name]
		switch {
		case repeated:
			p.refuse(name, message.CodeRepeated, "must not be repeated")
		case err != nil || !utf8.ValidString(value):
			p.refuse(name, message.CodeUnicode, "must be percent-encoded UTF-8")
		default:
			p.values[name] = value
			continue
		}
		refused[name] = true
		delete(p.values, name)
	}
	return p
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func (p *params) refuse(name, code, reason string) {
	p.errs = append(p.errs, &message.InvalidError{Field: name, Code: code, Reason: reason})
}

func (p *params) result() error {
	if p.errs == nil {
		return nil
	}
	return p.errs
}

// filterNames are the parameters that filter reads.
var filterNames = []string{"from", "to", "since", "until", "q"}

// filter reads the conditions that a message has to meet.
func (p *params) filter() message.Filter {
	return message.Filter{
		From:  p.msisdn("from"),
		To:    p.msisdn("to"),
		Since: p.instant("since"),
		Until: p.instant("until"),
		Text:  p.text("q"),
	}
}

// sequence returns 0 when there is none.
func (p *params) sequence(name string) uint64 { return p.integer(name, 0, math.MaxUint64, 0) }

// msisdn takes a blank before the digits for a plus that was not encoded.
func (p *params) msisdn(name string) string {
	value, given := p.values[name]
	if !given {
		return ""
	}
	if digits, blank := strings.CutPrefix(value, " "); blank {
		value = "+" + digits
	}
	if !message.ValidMSISDN(value) {
		p.refuse(name, message.CodePattern, "must be + followed by 1 to 15 digits")
		return ""
	}
	return value
}

func (p *params) instant(name string) *time.Time {
	value, given := p.values[name]
	if !given {
		return nil
	}
	at, ok := message.ParseInstant(value)
	if !ok {
		p.refuse(name, message.CodeDatetime,
			"must be an RFC 3339 instant in UTC such as 2025-01-15T10:00:00Z, with at most 9 fraction digits")
		return nil
	}
	return &at
}

func (p *params) text(name string) string {
	value := p.values[name]
	if utf8.RuneCountInString(value) > maxTextCharacters {
		p.refuse(name, message.CodeTooLong, "must have at most 4096 characters")
		return ""
	}
	return value
}

// integer takes decimal digits only.
func (p *params) integer(name string, least, most, absent uint64) uint64 {
	value, given := p.values[name]
	if !given {
		return absent
	}
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			p.refuse(name, CodeInteger, "must be an integer in decimal digits")
			return absent
		}
	}
	if value == "" {
		p.refuse(name, CodeInteger, "must not be empty")
		return absent
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n < least || n > most {
		p.refuse(name, CodeRange, "must be between "+strconv.FormatUint(least, 10)+" and "+strconv.FormatUint(most, 10))
		return absent
	}
	return n
}

// position reads where the page starts and in which order it goes. A cursor brings
// its own order, which order may repeat but not change.
func (p *params) position(page *message.PageRequest) {
	var orderGiven bool
	page.Descending, orderGiven = p.order()

	cursor, given := p.values["cursor"]
	if !given {
		return
	}
	at, isDescending, ok := parseCursor(cursor)
	switch {
	case !ok:
		p.refuse("cursor", CodeCursor, "must be the next_cursor of an earlier answer")
	case orderGiven && page.Descending != isDescending:
		p.refuse("cursor", CodeCursor, "must be of the same order")
	case page.Offset > 0:
		p.refuse("cursor", CodeClash, "must not be used together with an offset")
	default:
		page.After, page.Descending = &at, isDescending
	}
}

func (p *params) order() (isDescending, given bool) {
	order, given := p.values["order"]
	if given && order != "asc" && order != "desc" {
		p.refuse("order", CodeChoice, "must be asc or desc")
		given = false
	}
	return order == "desc", given
}
