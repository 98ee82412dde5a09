package contract

// Timeline is how many messages there were in each hour or day, by ts.
type Timeline struct {
	Unit    string           `json:"unit"` // "hour" or "day"
	Buckets []TimelineBucket `json:"buckets"`
}

// TimelineBucket is one hour or day.
type TimelineBucket struct {
	Start string `json:"start"`
	Count int64  `json:"count"`
}
