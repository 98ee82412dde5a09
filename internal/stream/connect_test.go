package stream

import (
	"testing"
	"time"
)

func TestReconnectDelay_isShorterThanAReaderWaits(t *testing.T) {
	const readWait = 500 * time.Millisecond // what the api waits by default
	var c Conn
	for attempts := range 1000 {
		if d := c.reconnectDelay(attempts); d <= 0 || d > readWait/2 {
			t.Errorf("after %d attempts: %v", attempts, d)
		}
	}
}

func TestReconnectDelay_isLongWhereTheTokenIsRefused(t *testing.T) {
	var c Conn
	c.refused.Store(true)
	if d := c.reconnectDelay(100); d < refusedMax/2 {
		t.Errorf("%v", d)
	}
}
