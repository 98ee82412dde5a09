package client

import (
	"bufio"
	"bytes"
	"io"
)

// event is one of the Server-Sent Events (the HTML standard, section 9.2.6).
type event struct {
	id, name string
	data     []byte
}

// maxEventBytes bounds a line: a message with every character escaped is far below.
const maxEventBytes = 1 << 20

type eventReader struct{ lines *bufio.Scanner }

func newEventReader(r io.Reader) eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxEventBytes)
	return eventReader{lines}
}

// next returns the next event, one with nothing but an id included. An event that the
// connection's end cuts off is none.
func (r eventReader) next() (e event, err error) {
	for r.lines.Scan() {
		line := bytes.TrimSuffix(r.lines.Bytes(), []byte("\r"))
		if len(line) == 0 {
			return e, nil
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			e.id = string(value)
		case "event":
			e.name = string(value)
		case "data":
			if e.data != nil {
				e.data = append(e.data, '\n')
			}
			e.data = append(e.data, value...)
		}
	}
	if err := r.lines.Err(); err != nil {
		return event{}, err
	}
	return event{}, io.EOF
}
