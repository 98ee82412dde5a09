package writer

import (
	"fmt"
	"sync"
)

// condition is what is wrong with a side of the writer, nil when nothing is.
type condition struct {
	mu  sync.Mutex
	err error
}

func (c *condition) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *condition) get() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// stepError is a session's end: the step that failed, and on which side.
type stepError struct {
	stream bool // the source failed, not the store
	step   string
	err    error
}

func (e *stepError) Error() string { return fmt.Sprintf("%s: %v", e.step, e.err) }

func (e *stepError) Unwrap() error { return e.err }

func onStream(step string, err error) error { return &stepError{true, step, err} }

func onStore(step string, err error) error { return &stepError{false, step, err} }
