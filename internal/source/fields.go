package source

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"sluice/pkg/message"
)

// The fields of a plain message.
const (
	fieldID = iota
	fieldFrom
	fieldTo
	fieldTS
	fieldText
	fieldCount

	notAField = -1
)

var fieldNames = [fieldCount]string{"message_id", "from", "to", "ts", "text"}

// fields is what an object says of a plain message.
type fields struct {
	of     [fieldCount]field
	beside message.InvalidErrors // what is wrong in the body beside the fields
}

type field struct {
	given  bool
	isNull bool
	value  string
	err    *message.InvalidError
}

// set takes the value of a field. d unquotes it.
func (fs *fields) set(name int, value jsontext.Value, d *decoder) {
	f := &fs.of[name]
	fail := func(code, reason string) {
		f.err = &message.InvalidError{Field: fieldNames[name], Code: code, Reason: reason}
	}
	switch kind := value.Kind(); {
	case f.given:
		fail(message.CodeRepeated, "must not be repeated")
	case kind == jsontext.KindString:
		s, err := d.unquote(value)
		if err != nil {
			fail(message.CodeUnicode, "must be valid Unicode")
		}
		f.value = string(s)
	case kind == jsontext.KindNull && name == fieldText:
		f.isNull = true
	case name == fieldText:
		fail(message.CodeType, "must be a string or null")
	default:
		fail(message.CodeType, "must be a string")
	}
	f.given = true
}

// refuse notes an error of jsontext beside the fields.
func (fs *fields) refuse(err error) {
	e := &message.InvalidError{Code: message.CodeUnicode, Reason: "must be valid Unicode"}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		e = &message.InvalidError{Code: message.CodeRepeated, Reason: "must not repeat a member"}
	}
	for _, before := range fs.beside {
		if *before == *e {
			return
		}
	}
	fs.beside = append(fs.beside, e)
}

// message returns the message that the fields make, or everything that is wrong
// with them.
func (fs *fields) message() (message.Message, message.InvalidErrors) {
	m := message.Message{
		ID: fs.of[fieldID].value, From: fs.of[fieldFrom].value,
		To: fs.of[fieldTo].value, TS: fs.of[fieldTS].value,
	}
	if f := &fs.of[fieldText]; f.given && !f.isNull {
		text := f.value
		m.Text = &text
	}
	invalid := m.Validate()

	var errs message.InvalidErrors
	for i := range fs.of {
		if e := fs.errorOf(i, invalid); e != nil {
			errs = append(errs, e)
		}
	}
	return m, append(errs, fs.beside...)
}

// errorOf returns the first reason why a field is refused: that it is not there,
// then how it is written, then the rules of the message.
func (fs *fields) errorOf(name int, invalid message.InvalidErrors) *message.InvalidError {
	f := &fs.of[name]
	if !f.given && name != fieldText {
		return &message.InvalidError{Field: fieldNames[name], Code: message.CodeMissing, Reason: "is missing"}
	}
	if f.err != nil {
		return f.err
	}
	for _, e := range invalid {
		if e.Field == fieldNames[name] {
			return e
		}
	}
	return nil
}
