package fault

import (
	"strings"
	"testing"

	"sluice/test/harness"
)

// behind makes a pipeline whose writer reaches the stream by the link alone.
func behind(t *testing.T, l *harness.Link) *harness.Pipeline {
	t.Helper()
	p := harness.New(t, harness.Options{
		API:    map[string]string{"LOG_LEVEL": "WARNING"},
		Writer: map[string]string{"NATS_URL": "nats://" + l.Addr},
	})
	l.To(strings.TrimPrefix(p.NATS, "nats://"))
	p.StartBoth()
	return p
}
