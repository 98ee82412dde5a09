package httpapi

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"

	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// exportFormat is how an export writes messages.
type exportFormat struct {
	mediaType string
	fileName  string
	head      func(*bytes.Buffer)
	rows      func(*bytes.Buffer, []message.Record) error
}

var ndjson = exportFormat{contract.TypeNDJSON, "messages.ndjson", func(*bytes.Buffer) {}, writeNDJSON}

var csvFormat = exportFormat{contract.TypeCSV, "messages.csv", writeCSVHead, writeCSV}

func writeNDJSON(b *bytes.Buffer, records []message.Record) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i := range records {
		if err := enc.Encode(contract.NewMessageDetail(&records[i])); err != nil {
			return err
		}
	}
	return nil
}

func writeCSVHead(b *bytes.Buffer) {
	b.WriteString("message_id,from,to,ts,text,seq,source,created_at\n")
}

// writeCSV writes RFC 4180, but for line ends, which are as a text may have them.
// A text that is null is empty here.
func writeCSV(b *bytes.Buffer, records []message.Record) error {
	w := csv.NewWriter(b)
	for i := range records {
		m := contract.NewMessageDetail(&records[i])
		text := ""
		if m.Text != nil {
			text = *m.Text
		}
		err := w.Write([]string{
			noFormula(m.ID), m.From, m.To, m.TS, noFormula(text),
			strconv.FormatUint(m.Seq, 10), m.Source, m.CreatedAt,
		})
		if err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// noFormula keeps a spreadsheet from taking what a stranger wrote for a formula:
// an apostrophe goes before a text that begins like one (OWASP, "CSV Injection"),
// and before one that begins with an apostrophe, so that taking a leading one away
// always gives the text. Numbers keep their plus: "+" and digits compute nothing.
func noFormula(text string) string {
	for _, first := range []string{"=", "+", "-", "@", "\t", "\r", "\n", "\x00", "'", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(text, first) {
			return "'" + text
		}
	}
	return text
}
