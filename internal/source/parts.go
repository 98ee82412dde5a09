package source

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// parts reads JSON part by part, in one pass, and lets everything pass that can be
// read at all: repeated names, broken Unicode, other kinds of values than expected.
type parts struct {
	body []byte
	json *jsontext.Decoder
}

func newParts(body []byte) *parts {
	return &parts{body, jsontext.NewDecoder(bytes.NewBuffer(body), lenient...)}
}

// errOtherKind is returned by who expected another kind of value and has read
// nothing of it.
var errOtherKind = errors.New("another kind of value")

func (p *parts) kind() jsontext.Kind { return p.json.PeekKind() }

// value reads a value, as it is in the body.
func (p *parts) value() (jsontext.Value, error) {
	raw, err := p.json.ReadValue()
	if err != nil {
		return nil, err
	}
	end := p.json.InputOffset()
	return p.body[end-int64(len(raw)) : end : end], nil
}

// element has read read a value, and returns all of it. What read expected to be
// of another kind is passed over.
func (p *parts) element(read func() error) (jsontext.Value, error) {
	p.kind() // goes to where the value begins
	start := p.json.InputOffset()
	err := read()
	if err == errOtherKind {
		return p.value()
	}
	if err != nil {
		return nil, err
	}
	end := p.json.InputOffset()
	return bytes.TrimLeft(p.body[start:end:end], " \t\r\n,:"), nil
}

// object reads an object: the members that known has by known, where it takes
// them. It returns the other members, as they are, without braces.
func (p *parts) object(known map[string]func() error) (beside []byte, err error) {
	if p.kind() != jsontext.KindBeginObject {
		return nil, errOtherKind
	}
	if _, err := p.json.ReadToken(); err != nil {
		return nil, err
	}
	for p.kind() != jsontext.KindEndObject {
		name, err := p.value()
		if err != nil {
			return nil, err
		}
		err = errOtherKind
		if read := known[textOf(name)]; read != nil {
			err = read()
		}
		if err == errOtherKind {
			var value jsontext.Value
			value, err = p.value()
			if len(beside) > 0 {
				beside = append(beside, ',')
			}
			beside = append(append(append(beside, name...), ':'), value...)
		}
		if err != nil {
			return nil, err
		}
	}
	_, err = p.json.ReadToken()
	return beside, err
}

// list returns a function that reads an array, element by element.
func (p *parts) list(read func() error) func() error {
	return func() error {
		if p.kind() != jsontext.KindBeginArray {
			return errOtherKind
		}
		if _, err := p.json.ReadToken(); err != nil {
			return err
		}
		for p.kind() != jsontext.KindEndArray {
			if err := read(); err != nil {
				return err
			}
		}
		_, err := p.json.ReadToken()
		return err
	}
}

// end fails unless the body has been read to its end.
func (p *parts) end() error {
	if _, err := p.json.ReadToken(); err != io.EOF {
		return errTrailing
	}
	return nil
}

// members are those of an object, read as parts reads. An object has a few, so that
// looking through them is quicker than a map.
type members []namedValue

type namedValue struct{ name, value jsontext.Value }

var partDecoders = sync.Pool{New: func() any { return &parts{json: new(jsontext.Decoder)} }}

// membersOf returns the members of an object that has been read once, none when
// value is no object.
func membersOf(value jsontext.Value) (ms members) {
	if value.Kind() != jsontext.KindBeginObject {
		return nil
	}
	p := partDecoders.Get().(*parts)
	defer partDecoders.Put(p)
	p.body = value
	p.json.Reset(bytes.NewBuffer(value), lenient...)
	ms = make(members, 0, 8)
	_, err := p.json.ReadToken()
	for err == nil && p.kind() != jsontext.KindEndObject {
		var name, member jsontext.Value
		if name, err = p.value(); err != nil {
			break
		}
		if member, err = p.value(); err != nil {
			break
		}
		ms = append(ms, namedValue{name, member})
	}
	p.body = nil
	return ms
}

// get returns a member, of a repeated one the last, nil when there is none.
func (ms members) get(name string) jsontext.Value {
	for i := len(ms) - 1; i >= 0; i-- {
		if isText(ms[i].name, name) {
			return ms[i].value
		}
	}
	return nil
}

// isText reports whether a string in JSON stands for text.
func isText(quoted jsontext.Value, text string) bool {
	if plain := quoted[1 : len(quoted)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return string(plain) == text
	}
	return textOf(quoted) == text
}

// text returns the text of a member: a string, or a number as it is written; empty
// for anything else.
func (ms members) text(name string) string { return textOf(ms.get(name)) }

func textOf(value jsontext.Value) (text string) {
	switch value.Kind() {
	case jsontext.KindString:
		if plain := value[1 : len(value)-1]; bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
			return string(plain)
		}
		_ = json.Unmarshal(value, &text, lenient...) // it has been read once
	case jsontext.KindNumber:
		text = string(value)
	}
	return text
}

// firstOf returns the first of the texts that is there, empty when none is.
func firstOf(text func(name string) string, names ...string) string {
	for _, name := range names {
		if value := text(name); value != "" {
			return value
		}
	}
	return ""
}

// elementsOf returns the elements of an array, none when value is none.
func elementsOf(value jsontext.Value) (all []jsontext.Value) {
	if value.Kind() == jsontext.KindBeginArray {
		_ = json.Unmarshal(value, &all, lenient...) // it has been read once
	}
	return all
}
