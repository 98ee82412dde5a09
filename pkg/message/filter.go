package message

import "time"

// Filter selects messages; its conditions combine with AND, and the zero value
// selects all.
type Filter struct {
	From  string     // exact, empty for any
	To    string     // exact, empty for any
	Since *time.Time // inclusive, nil for no bound
	Until *time.Time // exclusive, nil for no bound
	Text  string     // contained in the text, whatever the case; empty for any
}

// Position is a message's place in the order of answers: by instant, then by
// the bytes of the id.
type Position struct {
	At time.Time
	ID string
}

// PageRequest asks for one page of the messages that a filter selects.
type PageRequest struct {
	Filter
	Descending bool      // newest first
	Limit      int       // 1..100
	Offset     int       // rows to skip, from 0
	After      *Position // start behind this place in the order asked for; nil for the start
}

// Page is a page of messages and the exact number of all that match, both as of
// one moment.
type Page struct {
	Records []Record
	Total   int64     // rows that match the filter, whatever the page
	Next    *Position // After of the next page, nil on the last
	Applied uint64    // the checkpoint's sequence at that moment
}

// StretchRequest asks for some of the messages that a filter selects, for who
// wants all of them, piece by piece.
type StretchRequest struct {
	Filter
	Descending bool      // newest first
	Limit      int       // most of them at once
	After      *Position // go on behind this place in the order asked for; nil for the start
}

// Stretch is some of the messages that a filter selects, in order. It may hold
// none although more follow.
type Stretch struct {
	Records []Record
	Next    *Position // After of the next stretch, nil at the end
	Applied uint64    // the checkpoint's sequence at that moment
}
