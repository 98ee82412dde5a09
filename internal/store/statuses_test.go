package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"sluice/pkg/message"
)

func statusRecord(seq uint64, id, status string) message.StatusRecord {
	return message.StatusRecord{
		Status: message.Status{MessageID: id, Status: status, TS: "2025-01-15T10:00:00Z", Recipient: "+1", Raw: json.RawMessage(`{"n":1}`)},
		Seq:    seq, CreatedAt: accepted(seq), Source: "whatsapp",
	}
}

func rawRecord(seq uint64, id, raw string) message.Record {
	r := record(seq, message.Message{ID: id, From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z", Raw: json.RawMessage(raw)})
	r.Source, r.MsgID = "whatsapp", message.MsgID("whatsapp", id)
	return r
}

// describeDetail tells all that is known of a message beside its columns.
func describeDetail(t *testing.T, r *Reader, id string) string {
	t.Helper()
	d, _, err := r.Message(t.Context(), id)
	if err != nil {
		return err.Error()
	}
	all := fmt.Sprintf("%d raw=%s", d.Seq, d.Raw)
	for _, s := range d.Statuses {
		all += fmt.Sprintf(" %d:%s %s %s %s", s.Seq, s.Status.Status, s.Recipient, s.Raw, s.CreatedAt.Format("05.000"))
	}
	return all
}

func wantDetail(t *testing.T, r *Reader, id, want string) {
	t.Helper()
	if got := describeDetail(t, r, id); got != want {
		t.Errorf("%s:\n got %s\nwant %s", id, got, want)
	}
}

func TestApply_keepsWhatTheSenderSentBesideTheMessage(t *testing.T) {
	s, r := open(t)
	// A status before its message, one of no message at all, and repeats of both.
	apply(t, s, batchOf(stream1, statusRecord(1, "a", "read"), statusRecord(2, "nobody", "sent"), rawRecord(3, "a", `{"type":"image"}`)))
	again := batchOf(stream1, statusRecord(4, "a", "read"), rawRecord(5, "a", `{"type":"other"}`), statusRecord(6, "a", "delivered"))
	if applied := apply(t, s, again); applied.Statuses != 1 || applied.Duplicates != 1 {
		t.Errorf("applied %+v", applied)
	}
	if applied := apply(t, s, again); applied.Statuses != 0 || applied.Duplicates != 0 {
		t.Errorf("applied twice: %+v", applied)
	}
	other := statusRecord(7, "a", "failed")
	other.Source = "twilio" // another sender's message has the same id
	apply(t, s, batchOf(stream1, other, record(8, message.Message{ID: "plain", From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z"})))
	wantDetail(t, r, "a", `3 raw={"type":"image"} 1:read +1 {"n":1} 00.124 6:delivered +1 {"n":1} 00.129`)
	wantDetail(t, r, "plain", `8 raw=`)
	wantDetail(t, r, "nobody", message.ErrNotFound.Error())
	checkDatabase(t, s)

	st, err := r.Status(t.Context())
	if err != nil || !st.AppliedAt.Equal(accepted(8)) {
		t.Errorf("applied at %v, %v", st.AppliedAt, err)
	}
}

func TestRewind_takesStatusesAndRawsAlong(t *testing.T) {
	s, r := open(t)
	apply(t, s, batchOf(stream1, rawRecord(1, "a", `1`), statusRecord(2, "a", "sent"), rawRecord(3, "b", `2`), statusRecord(4, "a", "read"), statusRecord(5, "b", "sent")))
	var behind []string
	note := func(format string, args ...any) error {
		behind = append(behind, fmt.Sprintf(format, args...))
		return nil
	}
	if err := s.After(t.Context(), 2, func(r message.Record) error { return note("%d %s %s", r.Seq, r.MsgID, r.Raw) }); err != nil {
		t.Fatal(err)
	}
	if err := s.StatusesAfter(t.Context(), 2, func(r message.StatusRecord) error { return note("%d %s %s", r.Seq, r.MessageID, r.Raw) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{`3 %whatsapp:b 2`, `4 a {"n":1}`, `5 b {"n":1}`}; !slices.Equal(behind, want) {
		t.Errorf("behind 2 are %q", behind)
	}
	removed, err := s.Rewind(t.Context(), message.Checkpoint{StreamID: stream1, Seq: 2})
	if err != nil || removed != 3 {
		t.Errorf("removed %d, %v", removed, err)
	}
	wantDetail(t, r, "a", `1 raw=1 2:sent +1 {"n":1} 00.125`)
	apply(t, s, batchOf(stream1, rawRecord(3, "c", `3`), statusRecord(4, "b", "sent"), rawRecord(5, "b", `4`)))
	wantDetail(t, r, "c", `3 raw=3`)
	wantDetail(t, r, "b", `5 raw=4 4:sent +1 {"n":1} 00.127`)
	checkDatabase(t, s)

	// Another stream brings them again: they take their place in it.
	if _, err := s.Rewind(t.Context(), message.Checkpoint{StreamID: stream2}); err != nil {
		t.Fatal(err)
	}
	apply(t, s, batchOf(stream2, statusRecord(1, "b", "sent"), rawRecord(2, "b", `4`)))
	wantDetail(t, r, "b", `2 raw=4 1:sent +1 {"n":1} 00.124`)
	wantDetail(t, r, "a", `1 raw=1 2:sent +1 {"n":1} 00.125`)
	checkDatabase(t, s)
	if removed, err := s.Rewind(t.Context(), message.Checkpoint{StreamID: stream2}); err != nil || removed != 2 {
		t.Errorf("removed %d, %v", removed, err)
	}
	wantDetail(t, r, "b", message.ErrNotFound.Error())
	checkDatabase(t, s)
}
