package source

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"sluice/pkg/message"
)

// whatsAppAbout is what a change says of its messages and statuses.
type whatsAppAbout struct {
	metadata []byte     // the member, empty when there is none
	number   string     // of the business
	members  []members  // of each part
	contacts [][][]byte // that belong to each part
}

func newWhatsAppAbout(v *whatsAppValue) *whatsAppAbout {
	a := &whatsAppAbout{members: make([]members, len(v.parts)), contacts: make([][][]byte, len(v.parts))}
	if metadata := membersOf(object(v.beside)).get("metadata"); metadata != nil {
		a.metadata, a.number = member("metadata", metadata), membersOf(metadata).text("display_phone_number")
	}
	for i, part := range v.parts {
		a.members[i] = membersOf(part.raw)
	}
	a.give(v.contacts)
	return a
}

// whatsAppRecipients are the members that tell whom a status is about. In a group
// that is a participant, beside the id of the group: several may read a message in
// the same second. Who shows no number has an id. (Meta's documentation: "Status
// messages webhooks for groups", "Business-scoped user IDs".)
var whatsAppRecipients = []string{"recipient_participant_id", "recipient_participant_user_id", "recipient_id", "recipient_user_id"}

// whatsAppPeople are the members that tell whose contact belongs to a part.
var whatsAppPeople = append([]string{"from", "from_user_id"}, whatsAppRecipients...)

// give gives each contact to the parts that it sent or that are about it, and to
// the first when there is none.
func (a *whatsAppAbout) give(contacts []jsontext.Value) {
	if len(contacts) == 0 {
		return
	}
	of := map[string][]int{}
	for i, ms := range a.members {
		for _, name := range whatsAppPeople {
			if id := ms.text(name); id != "" {
				of[id] = append(of[id], i)
			}
		}
	}
	given := map[string]int{} // bytes
	for _, contact := range contacts {
		ms := membersOf(contact)
		id := ms.text("wa_id")
		if of[id] == nil {
			id = ms.text("user_id")
		}
		parts := of[id]
		if parts == nil {
			parts = []int{0}
		}
		if given[id] += len(contact); given[id] > maxAround {
			parts = parts[:1]
		}
		for _, i := range parts {
			a.contacts[i] = append(a.contacts[i], contact)
		}
	}
}

// read reads a part of a list into c. raw is what is kept of it.
func (a *whatsAppAbout) read(c *Content, list string, ms members, raw json.RawMessage) {
	if list == whatsAppStatuses {
		s := message.Status{
			MessageID: ms.text("id"), Status: ms.text("status"), TS: instantOf(ms.text("timestamp")),
			Recipient: msisdn(firstOf(ms.text, whatsAppRecipients...)), Raw: raw,
		}
		if errs := s.Validate(); errs != nil {
			c.addUnknown("a status that is none: "+errs.Error(), raw)
			return
		}
		c.Statuses = append(c.Statuses, s)
		return
	}
	m := message.Message{
		ID: ms.text("id"), From: msisdn(ms.text("from")), To: msisdn(ms.text("to")),
		TS: instantOf(ms.text("timestamp")), Text: whatsAppText(ms), Raw: raw,
	}
	if m.To == "" {
		m.To = msisdn(a.number)
	}
	if errs := m.Validate(); errs != nil {
		c.addUnknown(errs.Error(), raw)
		return
	}
	c.Messages = append(c.Messages, m)
}

// whatsAppTexts are the members that hold what a reader of a message would see,
// whatever its kind: of a text or a system message, of media, of a button or an
// order, of a reply, of a place, of a document, of a reaction.
var whatsAppTexts = []string{"body", "caption", "text", "title", "name", "filename", "address", "emoji"}

// whatsAppText returns the text, caption or title of a message, nil when it has
// none. What a kind holds is in a member of the kind's name.
func whatsAppText(ms members) *string {
	kind := ms.text("type")
	if kind == "edit" { // has the message as it is now
		ms = membersOf(membersOf(ms.get(kind)).get("message"))
		kind = ms.text("type")
	}
	content := membersOf(ms.get(kind))
	switch kind {
	case "interactive": // a reply is in a member of its own kind's name
		content = membersOf(content.get(content.text("type")))
	case "contacts":
		return contactNames(elementsOf(ms.get(kind)))
	case "unsupported":
		if errs := elementsOf(ms.get("errors")); len(errs) > 0 {
			content = membersOf(errs[0])
		}
	}
	if text := firstOf(content.text, whatsAppTexts...); text != "" {
		return shortened(text)
	}
	return nil
}

func contactNames(contacts []jsontext.Value) *string {
	var names []string
	for _, contact := range contacts {
		if name := membersOf(membersOf(contact).get("name")).text("formatted_name"); name != "" {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil
	}
	return shortened(strings.Join(names, ", "))
}

// shortened returns as much of a text as a message may hold.
func shortened(text string) *string {
	if len(text) > message.MaxTextCharacters && utf8.RuneCountInString(text) > message.MaxTextCharacters {
		text = string([]rune(text)[:message.MaxTextCharacters])
	}
	return &text
}

// instantOf writes seconds since 1970 as RFC 3339; what is no number stays as it is.
func instantOf(seconds string) string {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return seconds
	}
	return time.Unix(n, 0).UTC().Format("2006-01-02T15:04:05Z")
}

// msisdn writes a number as "+" and digits, without what people put between them;
// what is no number stays as it is.
func msisdn(number string) string {
	if normal := "+" + number; message.ValidMSISDN(normal) {
		return normal
	}
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0-().+", r) {
			return -1
		}
		return r
	}, number)
	if normal := "+" + digits; message.ValidMSISDN(normal) {
		return normal
	}
	return number
}
