package contract

// Pipeline is what an operator asks in a burst. What cannot be seen right now is
// null, and the part it belongs to says why.
type Pipeline struct {
	Stream      PipelineStream   `json:"stream"`
	Writers     []PipelineWriter `json:"writers"`
	Rates       PipelineRates    `json:"rates"`
	Database    PipelineDatabase `json:"database"`
	DeadLetters *int64           `json:"dead_letters"` // kept aside in the database now
}

// PipelineStream is the stream.
type PipelineStream struct {
	Available     bool    `json:"available"`
	Detail        string  `json:"detail,omitempty"` // why it is not
	FirstSequence *uint64 `json:"first_sequence"`
	LastSequence  *uint64 `json:"last_sequence"`
	Messages      *uint64 `json:"messages"`
	Missing       *uint64 `json:"missing"` // entries lost to damage, between the first and the last
	Bytes         *int64  `json:"bytes"`
	MaxBytes      *int64  `json:"max_bytes"` // null when it has no limit
	Full          *bool   `json:"full"`      // webhooks get 503 until there is room
}

// PipelineWriter is one writer.
type PipelineWriter struct {
	Name            string   `json:"name"`
	Running         *bool    `json:"running"` // null for writers of other databases than this api's
	AppliedSequence uint64   `json:"applied_sequence"`
	LagEntries      *uint64  `json:"lag_entries"`
	LagSeconds      *float64 `json:"lag_seconds"` // age of the oldest entry not yet applied
}

// PipelineRates is how fast messages come and are applied, over the last seconds.
type PipelineRates struct {
	AcceptedPerSecond *float64 `json:"accepted_per_second"`
	AppliedPerSecond  *float64 `json:"applied_per_second"`
}

// PipelineDatabase is the database that this api reads.
type PipelineDatabase struct {
	Available       bool             `json:"available"`
	Detail          string           `json:"detail,omitempty"` // why it is not
	AppliedSequence *uint64          `json:"applied_sequence"`
	AppliedAt       *string          `json:"applied_at"` // when the stream accepted that entry
	Bytes           *int64           `json:"bytes"`
	WALBytes        *int64           `json:"wal_bytes"`
	Entries         *PipelineEntries `json:"entries"`
}

// PipelineEntries is what became of all entries that were applied to the database.
type PipelineEntries struct {
	Inserted    int64 `json:"inserted"`
	Duplicates  int64 `json:"duplicates"`
	Conflicts   int64 `json:"conflicts"`
	DeadLetters int64 `json:"dead_letters"`
}
