package contract

// Events of /tail. The data of EventMessage is a MessageDetail, and its id the
// sequence to come back with in HeaderLastEventID; that of EventSkipped is a Skipped.
const (
	EventMessage = "message"
	EventSkipped = "skipped"
)

// Skipped says that only the newest messages were asked for, and others came too.
type Skipped struct {
	Messages int64 `json:"messages"` // passed over, whether or not the filters select them
}
