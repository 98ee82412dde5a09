package message

// StreamStatus is what an operator asks of a stream.
type StreamStatus struct {
	StreamState
	Messages uint64         // entries it holds
	Missing  uint64         // entries between First and Last that it does not hold: lost to damage
	Bytes    int64          // that those entries take
	MaxBytes int64          // its limit, 0 when it has none
	Full     bool           // publishes are refused until there is room again
	Writers  []WriterStatus // every durable consumer that it knows, by name
}

// WriterStatus is what the stream knows of a writer.
type WriterStatus struct {
	Name  string // WRITER_NAME
	Acked uint64 // the writer keeps every entry up to here for good; it may have applied more
}
