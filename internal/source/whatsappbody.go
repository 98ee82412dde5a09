package source

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"sluice/pkg/message"
)

// The lists that a change's value may hold. Echoes are what the business sent from
// its own phone.
const (
	whatsAppMessages = "messages"
	whatsAppEchoes   = "message_echoes"
	whatsAppStatuses = "statuses"
	whatsAppContacts = "contacts"
)

// readWhatsApp takes a delivery apart. Each part that it finds keeps, as Raw, the
// delivery with this part alone in it, so that whoever reads deliveries reads it.
func readWhatsApp(body []byte) (c Content) {
	d, err := parseWhatsApp(bytes.ToValidUTF8(body, []byte("\uFFFD")))
	if err != nil {
		c.Unknown = []message.Unknown{{Reason: "it is not JSON", Raw: quote(body)}}
		return c
	}
	switch {
	case d.count() > maxParts:
		c.addUnknown("it has more parts than anybody sends", d.raw)
		return c
	case len(d.entries) == 0:
		c.addUnknown("there is no entry in it", d.raw)
	case len(d.beside) > maxAround:
		c.addUnknown(muchBeside, d.raw)
		d.beside = nil
	}
	for i := range d.entries {
		d.entries[i].read(&c, around{}.inside(d.beside, "entry"))
	}
	return c
}

func (c *Content) addUnknown(reason string, raw []byte) {
	c.Unknown = append(c.Unknown, message.Unknown{Reason: reason, Raw: raw})
}

// whatsAppDelivery is a delivery in parts. beside is, everywhere, what an object
// holds beside the parts, as JSON without braces.
type whatsAppDelivery struct {
	raw     jsontext.Value
	beside  []byte
	entries []whatsAppEntry
}

type whatsAppEntry struct {
	raw     jsontext.Value
	beside  []byte
	changes []whatsAppChange
}

type whatsAppChange struct {
	raw    jsontext.Value
	beside []byte
	value  whatsAppValue
}

type whatsAppValue struct {
	beside   []byte
	contacts []jsontext.Value
	parts    []whatsAppPart
}

type whatsAppPart struct {
	list string
	raw  jsontext.Value
}

// count returns how many things will be made of the delivery.
func (d *whatsAppDelivery) count() (n int) {
	for _, e := range d.entries {
		n += max(1, len(e.changes))
		for _, c := range e.changes {
			n += len(c.value.parts)
		}
	}
	return n
}

func parseWhatsApp(body []byte) (d whatsAppDelivery, err error) {
	p := newParts(body)
	d.raw, err = p.element(func() error {
		d.beside, err = p.object(map[string]func() error{
			"entry": p.list(func() error {
				var e whatsAppEntry
				err := p.entry(&e)
				d.entries = append(d.entries, e)
				return err
			}),
		})
		return err
	})
	if err == nil {
		err = p.end()
	}
	return d, err
}

func (p *parts) entry(e *whatsAppEntry) (err error) {
	e.raw, err = p.element(func() error {
		e.beside, err = p.object(map[string]func() error{
			"changes": p.list(func() error {
				var c whatsAppChange
				err := p.change(&c)
				e.changes = append(e.changes, c)
				return err
			}),
		})
		return err
	})
	return err
}

func (p *parts) change(c *whatsAppChange) (err error) {
	c.raw, err = p.element(func() error {
		c.beside, err = p.object(map[string]func() error{
			"value": func() error {
				c.value.beside, err = p.object(map[string]func() error{
					whatsAppMessages: p.collect(&c.value.parts, whatsAppMessages),
					whatsAppEchoes:   p.collect(&c.value.parts, whatsAppEchoes),
					whatsAppStatuses: p.collect(&c.value.parts, whatsAppStatuses),
					whatsAppContacts: p.list(func() error {
						contact, err := p.value()
						c.value.contacts = append(c.value.contacts, contact)
						return err
					}),
				})
				return err
			},
		})
		return err
	})
	return err
}

func (p *parts) collect(all *[]whatsAppPart, list string) func() error {
	return p.list(func() error {
		raw, err := p.value()
		*all = append(*all, whatsAppPart{list, raw})
		return err
	})
}

// read reads an entry into c. outside is what is around it.
func (e *whatsAppEntry) read(c *Content, outside around) {
	if len(e.changes) == 0 {
		c.addUnknown("an entry without changes", outside.with(e.raw))
	}
	if len(e.beside) > maxAround {
		c.addUnknown(muchBeside, outside.with(e.raw))
		e.beside = nil
	}
	for i := range e.changes {
		e.changes[i].read(c, outside.inside(e.beside, "changes"))
	}
}

func (ch *whatsAppChange) read(c *Content, outside around) {
	v := &ch.value
	if len(v.parts) == 0 {
		c.addUnknown("a change that brings neither messages nor statuses", outside.with(ch.raw))
		return
	}
	outside = outside.inObject(ch.beside, "value")
	about := newWhatsAppAbout(v)
	if len(outside.before)+len(v.beside) > maxAround {
		c.addUnknown(muchBeside, outside.with(object(v.beside)))
		outside, v.beside = around{}.inside(nil, "entry").inside(nil, "changes").inObject(nil, "value"), about.metadata
	}
	outside = outside.members(v.beside)
	for i, part := range v.parts {
		list := [][]byte{listOpen[part.list], part.raw, listClose}
		if contacts := about.contacts[i]; len(contacts) > 0 {
			list = append(list, comma, listOpen[whatsAppContacts], bytes.Join(contacts, comma), listClose)
		}
		about.read(c, part.list, about.members[i], outside.with(list...))
	}
}

// muchBeside is why something is kept once for all the parts beside it.
const muchBeside = "it has more to say than its messages do"

// JSON between the parts.
var (
	comma, listClose = []byte(","), []byte("]")

	listOpen = map[string][]byte{
		whatsAppMessages: []byte(`"messages":[`),
		whatsAppEchoes:   []byte(`"message_echoes":[`),
		whatsAppStatuses: []byte(`"statuses":[`),
		whatsAppContacts: []byte(`"contacts":[`),
	}
)

const (
	// maxAround bounds what each part of a delivery keeps of what was around it, in
	// bytes. It is some 300 in what Meta sends.
	maxAround = 4 << 10

	// maxParts bounds the parts of a delivery that is taken apart. Meta sends at
	// most 1000.
	maxParts = 20_000
)

// around is JSON around a part of a delivery.
type around struct{ before, behind string }

// inside is around the elements of a list in an object with something beside it.
func (a around) inside(beside []byte, list string) around {
	return around{a.before + "{" + lead(beside) + strconv.Quote(list) + ":[", "]}" + a.behind}
}

// inObject is around a member of an object.
func (a around) inObject(beside []byte, name string) around {
	return around{a.before + "{" + lead(beside) + strconv.Quote(name) + ":", "}" + a.behind}
}

// members is around more members of an object with something beside them.
func (a around) members(beside []byte) around {
	return around{a.before + "{" + lead(beside), "}" + a.behind}
}

func (a around) with(parts ...[]byte) json.RawMessage {
	size := len(a.before) + len(a.behind)
	for _, part := range parts {
		size += len(part)
	}
	raw := append(make([]byte, 0, size), a.before...)
	for _, part := range parts {
		raw = append(raw, part...)
	}
	return append(raw, a.behind...)
}

func lead(beside []byte) string {
	if len(beside) == 0 {
		return ""
	}
	return string(beside) + ","
}

func member(name string, value []byte) []byte {
	return append([]byte(strconv.Quote(name)+":"), value...)
}

func object(members []byte) []byte { return append(append([]byte("{"), members...), '}') }

// quote keeps bytes that are no JSON as JSON: as a string, or as an object with
// their base64 where a string could not hold them or would be longer.
func quote(body []byte) json.RawMessage {
	encoded := fmt.Appendf(nil, `{"base64":%q}`, base64.StdEncoding.EncodeToString(body))
	if utf8.Valid(body) {
		if quoted, err := jsontext.AppendQuote(nil, body); err == nil && len(quoted) <= len(encoded) {
			return quoted
		}
	}
	return encoded
}
