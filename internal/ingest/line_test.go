package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/source"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

func TestLine_beyondAFewNobodyWaitsBehindWhoHasWaitedTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(2, time.Second)
		var first, second, third, more place
		join := func(p *place, want bool) {
			t.Helper()
			if got := l.join(p); got != want {
				t.Errorf("%v, want %v, with %d in line", got, want, l.count)
			}
		}
		join(&first, true)
		time.Sleep(2 * time.Second)
		join(&second, true) // a few may wait for as long as it takes
		join(&more, false)
		first.leave()
		join(&third, true) // there are a few again, and who is first now has just come
		time.Sleep(time.Second)
		join(&more, true)
		third.leave() // from the middle
		time.Sleep(time.Nanosecond)
		join(&first, false)
		second.leave()
		join(&first, true)
		more.leave()
		first.leave()
		first.leave() // is in no line any more
		if l.count != 0 || l.ends.next != &l.ends || l.ends.prev != &l.ends {
			t.Errorf("%d are left in line", l.count)
		}
	})
}

// stuck is a stream that answers when it is told to.
type stuck chan struct{}

func (s stuck) Publish(context.Context, message.Entry) (message.Receipt, error) {
	<-s
	return message.Receipt{Seq: 1}, nil
}

func (s stuck) PublishAll(_ context.Context, entries []message.Entry) ([]message.Receipt, error) {
	<-s
	return make([]message.Receipt, len(entries)), nil
}

// What it would wait for has not come and will not: an answer is one that nobody
// waited for. Deliveries of several messages are not in line, since the publisher has
// them take turns.
func TestAccept_refusesAtOnceWhenThoseInLineHaveWaitedTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whatsapp, s := source.NewWhatsApp(source.Secrets{Current: "secret"}), make(stuck)
		a := New(Config{Publisher: s, Sources: []source.Source{whatsapp}, Metrics: metrics.NewSet(), Now: time.Now})
		deliver := func(messages int) error {
			body := []byte(whatsappMessages(messages))
			_, err := a.Accept(t.Context(), Delivery{Source: whatsapp, Body: body, Header: func(string) string {
				return "sha256=" + signature.NewHexHMAC("secret").Sign(body)
			}})
			return err
		}
		var waiting sync.WaitGroup
		wait := func(messages int) {
			waiting.Go(func() {
				if err := deliver(messages); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for range fewInLine {
			wait(2)
		}
		for range fewInLine {
			wait(1)
		}
		time.Sleep(longestWait)
		wait(1) // not too long yet
		time.Sleep(time.Nanosecond)
		began := time.Now()
		if err := deliver(1); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errTooLong) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("the refusal took %v", waited)
		}
		close(s)
		waiting.Wait()
		if err := deliver(1); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// whatsappMessages is a delivery of so many messages.
func whatsappMessages(count int) string {
	var all []string
	for n := range count {
		all = append(all, fmt.Sprintf(`{"id":"m%d","from":"49170","timestamp":"1700000000","type":"text","text":{"body":"hi"}}`, n))
	}
	return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",` +
		`"metadata":{"display_phone_number":"15550100","phone_number_id":"1"},"messages":[` + strings.Join(all, ",") + `]}}]}]}`
}
