package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"sluice/pkg/message"
)

// decoder reads one JSON object as strictly as a promise about its bytes needs:
// names are compared byte for byte, and no member may be repeated, no string be
// anything but Unicode, nothing follow the object. The JSON decoder in it is told
// to let repeated names and broken Unicode pass, because it would stop at the
// first: here each becomes an error and the rest of the body is read as well.
//
// Objects and arrays may nest 10,000 deep: jsontext's limit.
type decoder struct {
	body    bytes.Buffer // the caller's bytes
	json    *jsontext.Decoder
	scratch []byte          // the string that was read last
	others  map[string]bool // names of members that are no fields
}

var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

var decoders = sync.Pool{New: func() any {
	d := &decoder{others: map[string]bool{}}
	d.json = jsontext.NewDecoder(&d.body, lenient...)
	return d
}}

// What a decoder may keep between two bodies.
const (
	maxKeptBytes = 64 << 10
	maxKeptNames = 64
)

func (d *decoder) release() {
	d.body = bytes.Buffer{}
	if cap(d.scratch) > maxKeptBytes {
		d.scratch = nil
	}
	if len(d.others) > maxKeptNames {
		d.others = map[string]bool{}
	}
	clear(d.others)
	decoders.Put(d)
}

// object reads body into fs. The error is for a body that is not one JSON object.
func (d *decoder) object(body []byte, fs *fields) *message.InvalidError {
	d.body = *bytes.NewBuffer(body)
	d.json.Reset(&d.body, lenient...)

	isObject := d.json.PeekKind() == jsontext.KindBeginObject
	var err error
	if isObject {
		err = d.members(fs)
	} else {
		err = d.json.SkipValue()
	}
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return &message.InvalidError{Code: message.CodeJSON, Reason: whyNotJSON(err)}
	}
	if !isObject {
		return &message.InvalidError{Code: message.CodeObjectType, Reason: "must be a JSON object"}
	}
	return nil
}

// members reads the object from its brace to its brace.
func (d *decoder) members(fs *fields) error {
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	for d.json.PeekKind() != jsontext.KindEndObject {
		name, err := d.json.ReadValue()
		if err != nil {
			return err
		}
		field := d.name(name, fs)
		value, err := d.json.ReadValue()
		if err != nil {
			return err
		}
		if field != notAField {
			fs.set(field, value, d)
		} else if err := strict(value); err != nil {
			fs.refuse(err)
		}
	}
	_, err := d.json.ReadToken()
	return err
}

// name returns which field the member is.
func (d *decoder) name(quoted jsontext.Value, fs *fields) int {
	name, err := d.unquote(quoted)
	if err != nil {
		fs.refuse(err)
		return notAField
	}
	for i := range fieldNames {
		if string(name) == fieldNames[i] {
			return i
		}
	}
	if d.others[string(name)] {
		fs.refuse(jsontext.ErrDuplicateName)
	}
	d.others[string(name)] = true
	return notAField
}

// unquote returns the string that quoted stands for, good until the next call. It
// fails when that is not Unicode: invalid UTF-8 or a lone surrogate.
func (d *decoder) unquote(quoted jsontext.Value) ([]byte, error) {
	var err error
	d.scratch, err = jsontext.AppendUnquote(d.scratch[:0], quoted)
	return d.scratch, err
}

var errTrailing = errors.New("something follows the object")

// end fails unless the body has been read to its end.
func (d *decoder) end() error {
	switch _, err := d.json.ReadToken(); err {
	case io.EOF:
		return nil
	case nil:
		return errTrailing
	default:
		return err
	}
}

// strict fails when a name is repeated or a string is not Unicode anywhere in a
// value that is sound otherwise.
func strict(value jsontext.Value) error {
	if value.IsValid() {
		return nil
	}
	_, err := jsontext.NewDecoder(bytes.NewBuffer(value)).ReadValue()
	return err
}

// whyNotJSON says where a body stops being JSON, and not what stands there: that
// may be somebody's text.
func whyNotJSON(err error) string {
	if err == io.EOF {
		return "must be JSON, and is empty"
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("must be JSON, and is not at byte %d", syntax.ByteOffset)
	}
	return "must be JSON: " + err.Error()
}
