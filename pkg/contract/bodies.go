package contract

import (
	"encoding/json"
	"time"

	"sluice/pkg/message"
)

// Status is the body of an accepted webhook and of a live process.
type Status struct {
	Status string `json:"status"` // "ok"
}

// Readiness is the body of the readiness paths.
type Readiness struct {
	Status string            `json:"status"` // "ready" or "not ready"
	Checks map[string]string `json:"checks"` // "ok" or the reason, by the check's name
}

// Message is a message in a list.
type Message struct {
	ID   string  `json:"message_id"`
	From string  `json:"from"`
	To   string  `json:"to"`
	TS   string  `json:"ts"`
	Text *string `json:"text"`
}

// MessageDetail is a message with where it came from.
type MessageDetail struct {
	Message
	Seq       uint64 `json:"seq"`
	Source    string `json:"source"`
	CreatedAt string `json:"created_at"` // the stream's time of acceptance, RFC 3339 in UTC
}

// FullMessage is a message with all that its sender told of it.
type FullMessage struct {
	MessageDetail
	Raw      json.RawMessage `json:"raw,omitempty"`      // what the sender sent, not there when the fields above say all of it
	Statuses []MessageStatus `json:"statuses,omitempty"` // what the sender told of the message since, by ts
}

// MessageStatus is what a sender told of a message's way.
type MessageStatus struct {
	Status    string          `json:"status"`    // in the sender's words: "sent", "delivered", "read", "failed", …
	TS        *string         `json:"ts"`        // null when the sender gave none
	Recipient *string         `json:"recipient"` // likewise
	CreatedAt string          `json:"created_at"`
	Raw       json.RawMessage `json:"raw"`
}

// MessagePage is a page of messages.
type MessagePage struct {
	Data       []Message `json:"data"`
	Total      int64     `json:"total"` // rows that match the filters, whatever the page
	Limit      int       `json:"limit"`
	Offset     int       `json:"offset"`
	NextCursor *string   `json:"next_cursor"` // null on the last page
}

// Stats counts the messages.
type Stats struct {
	TotalMessages     int64         `json:"total_messages"`
	SendersCount      int64         `json:"senders_count"`
	MessagesPerSender []SenderCount `json:"messages_per_sender"` // the top 10, by count descending, then by sender
	FirstMessageTS    *string       `json:"first_message_ts"`
	LastMessageTS     *string       `json:"last_message_ts"`
}

// SenderCount is how many messages a sender sent.
type SenderCount struct {
	From  string `json:"from"`
	Count int64  `json:"count"`
}

// NewMessage returns m as a list shows it.
func NewMessage(m *message.Message) Message {
	return Message{ID: m.ID, From: m.From, To: m.To, TS: m.TS, Text: m.Text}
}

// NewMessageDetail returns r with where it came from.
func NewMessageDetail(r *message.Record) MessageDetail {
	return MessageDetail{
		Message:   NewMessage(&r.Message),
		Seq:       r.Seq,
		Source:    r.Source,
		CreatedAt: Instant(r.CreatedAt),
	}
}

// NewFullMessage returns d as its own page shows it.
func NewFullMessage(d *message.Detail) FullMessage {
	statuses := make([]MessageStatus, len(d.Statuses))
	for i := range d.Statuses {
		statuses[i] = newMessageStatus(&d.Statuses[i])
	}
	return FullMessage{MessageDetail: NewMessageDetail(&d.Record), Raw: d.Raw, Statuses: statuses}
}

func newMessageStatus(s *message.StatusRecord) MessageStatus {
	optional := func(value string) *string {
		if value == "" {
			return nil
		}
		return &value
	}
	return MessageStatus{
		Status: s.Status.Status, TS: optional(s.TS), Recipient: optional(s.Recipient),
		CreatedAt: Instant(s.CreatedAt), Raw: s.Raw,
	}
}

// NewStats returns s as /stats shows it.
func NewStats(s *message.Stats) Stats {
	senders := make([]SenderCount, len(s.Top))
	for i, top := range s.Top {
		senders[i] = SenderCount{From: top.From, Count: top.Count}
	}
	return Stats{
		TotalMessages:     s.Messages,
		SendersCount:      s.Senders,
		MessagesPerSender: senders,
		FirstMessageTS:    s.FirstTS,
		LastMessageTS:     s.LastTS,
	}
}

// Instant writes t as every body does: RFC 3339 in UTC with nine fraction digits,
// so that texts sort as instants do.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }
