package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nuid"

	"sluice/pkg/contract"
)

// sendBody is one body to send.
type sendBody struct {
	name string // where it comes from, for the report
	body []byte
	err  error // why there is none
}

// bodies gives what is to be sent, one by one, texts as write writes them; it is read no faster than it is sent.
// finish is called when no more are wanted.
func (o *sendOptions) bodies(stdin io.Reader, write func(contract.Message) ([]byte, error)) (bodies <-chan sendBody, finish func(), err error) {
	if len(o.texts) > 0 {
		c := make(chan sendBody, len(o.texts))
		defer close(c)
		for _, text := range o.texts {
			c <- o.textBody(text, write)
		}
		return c, func() {}, nil
	}
	in := stdin
	finish = func() {}
	if o.file != "" && o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			return nil, nil, err
		}
		in, finish = f, func() { _ = f.Close() }
	}
	c := make(chan sendBody)
	go readBodies(in, c)
	return c, finish, nil
}

// textBody makes the body of a message, as its sender writes it.
func (o *sendOptions) textBody(text string, write func(contract.Message) ([]byte, error)) sendBody {
	m := contract.Message{ID: o.id, From: o.from, To: o.to, TS: o.ts, Text: &text}
	if m.ID == "" {
		m.ID = nuid.Next()
	}
	if m.TS == "" {
		m.TS = time.Now().UTC().Format(time.RFC3339Nano)
	}
	body, err := write(m)
	return sendBody{name: m.ID, body: body, err: err}
}

// maxSendLine bounds a line: sixteen times what an api takes by default.
const maxSendLine = 64 << 20

var errLongLine = errors.New("a line is longer than 64 MiB")

// readBodies gives each line that is not empty, without its end.
func readBodies(in io.Reader, to chan<- sendBody) {
	defer close(to)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxSendLine)
	n := 0
	for lines.Scan() {
		n++
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			to <- sendBody{name: fmt.Sprint("line ", n), body: bytes.Clone(line)}
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = errLongLine
	}
	if err != nil {
		to <- sendBody{name: fmt.Sprint("line ", n+1), err: err}
	}
}
