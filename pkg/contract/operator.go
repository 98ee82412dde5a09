package contract

// Rejections is the latest deliveries that were refused, newest first. They are
// kept in the memory of one api, and no more of them than it has room for.
type Rejections struct {
	Data  []Rejection `json:"data"`
	Total uint64      `json:"total"` // refused since this api started
}

// Rejection is one delivery that was refused. Its body is not kept.
type Rejection struct {
	At        string        `json:"at"`
	Status    int           `json:"status"`
	Code      Code          `json:"code"`
	Reason    string        `json:"reason"`
	Source    string        `json:"source"`
	Path      string        `json:"path"`
	Address   string        `json:"address"` // of the connection's other end
	RequestID string        `json:"request_id"`
	MessageID string        `json:"message_id,omitempty"` // as far as it is known
	Headers   []HeaderField `json:"headers"`
}

// HeaderField is one header, its value masked when it may be a secret.
type HeaderField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// DeadLetters is the oldest dead letters.
type DeadLetters struct {
	Data  []DeadLetter `json:"data"`
	Total int64        `json:"total"`
}

// DeadLetter is an entry that can never be applied.
type DeadLetter struct {
	Sequence  uint64 `json:"sequence"`
	CreatedAt string `json:"created_at"` // the stream's time of acceptance
	Source    string `json:"source"`
	Reason    string `json:"reason"`
	Bytes     int    `json:"bytes"`
	Data      []byte `json:"data"` // the first of its bytes, in base64
}

// Entry is what the stream holds at a sequence.
type Entry struct {
	Sequence   uint64  `json:"sequence"`
	AcceptedAt string  `json:"accepted_at"`
	MsgID      string  `json:"msg_id"` // the Nats-Msg-Id header
	Source     string  `json:"source"`
	RequestID  string  `json:"request_id"`            // of the delivery that brought it
	Trace      string  `json:"traceparent,omitempty"` // likewise, where it had one
	Data       string  `json:"data"`                  // its bytes, in which U+FFFD stands for what is no UTF-8
	StoredBy   *string `json:"stored_by"`             // when this api first saw it applied; null when it did not see it come
}

// PipelineHistory is how far stream and database were over the last minutes.
type PipelineHistory struct {
	Moments []PipelineMoment `json:"moments"` // a second apart, oldest first
}

// PipelineMoment is how far they were.
type PipelineMoment struct {
	At              string  `json:"at"`
	LastSequence    *uint64 `json:"last_sequence"` // null when the stream could not be seen
	AppliedSequence uint64  `json:"applied_sequence"`
}
