package message

// ArrivalsRequest asks for messages in the order in which the stream accepted them.
type ArrivalsRequest struct {
	Filter
	After uint64 // only those behind this sequence
	Limit int    // at most so many rows are looked at
	Last  bool   // those are the last rows there are, not the first behind After
}

// Arrivals is what a stretch of the stream brought that a filter selects, as of one
// moment. Rows of a stream that is gone are in none.
type Arrivals struct {
	Records []Record // in ascending order of sequence
	Seq     uint64   // every row up to here was looked at or passed over
	Passed  int64    // rows behind After that were passed over, because only the last were asked for
	Applied uint64   // the checkpoint's sequence at that moment
}
