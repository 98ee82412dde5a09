package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/pkg/signature"
	"sluice/test/harness"
)

// What WhatsApp may send at once, and how often it is sent here.
const (
	deliveryMessages = 1000
	deliveryRate     = 50 // a second
	deliverySecret   = "app secret"
)

// measureDeliveries posts WhatsApp's largest deliveries at a steady rate, whether
// they are answered in time or not.
func measureDeliveries(t testing.TB, s sizes) *report {
	p := harness.New(t, harness.Options{API: map[string]string{"WHATSAPP_APP_SECRET": deliverySecret, "WHATSAPP_VERIFY_TOKEN": "x"}})
	startAPI(p)
	count := max(2, int(s.duration.Seconds()*deliveryRate))
	requests := make([]*http.Request, count)
	for i := range requests {
		body := deliveryBody(i)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/webhook/whatsapp", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(signature.HubSHA256Header, signature.NewHubSHA256(deliverySecret).Sign(body))
		requests[i] = r
	}

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: count}}
	defer client.CloseIdleConnections()
	took, statuses := make([]time.Duration, count), make([]int, count)
	before, began := processorTime(p.API.PID()), time.Now()
	var all sync.WaitGroup
	for i, r := range requests {
		due := began.Add(time.Duration(i) * time.Second / deliveryRate)
		time.Sleep(time.Until(due))
		all.Go(func() {
			if res, err := client.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, res.Body) // its length says nothing
				_ = res.Body.Close()
				statuses[i] = res.StatusCode
			}
			took[i] = time.Since(due)
		})
	}
	all.Wait()
	seconds := max(time.Since(began), time.Duration(count)*time.Second/deliveryRate).Seconds()
	used := processorTime(p.API.PID()) - before

	kept := 0
	for _, status := range statuses {
		if status == http.StatusOK {
			kept++
		}
	}
	slices.Sort(took)
	figures := table{Title: fmt.Sprintf("Deliveries of %d messages, %d a second asked for", deliveryMessages, deliveryRate),
		Head: []string{"sent", "answered 200", "deliveries a second", "messages a second", "p50", "p99", "processor µs for a message"}}
	rate := float64(kept) / seconds
	figures.add(count, kept, fmt.Sprintf("%.1f", rate), thousands(rate*deliveryMessages), milliseconds(took[count/2]), milliseconds(took[count*99/100]),
		fmt.Sprintf("%.1f", float64(used.Microseconds())/float64(count*deliveryMessages)))
	t.Logf("%d of %d deliveries kept, %.1f a second", kept, count, rate)
	return &report{
		Mode:   "`ACK_DURABILITY=fsync`, one connection for each delivery under way, latency from the moment it was due, no writer.",
		Tables: []table{figures},
		Ratios: []ratio{{fmt.Sprintf("deliveries of %d messages / %d a second", deliveryMessages, deliveryRate), rate / deliveryRate, 0.95}},
	}
}

// deliveryBody is a delivery of texts that no other has.
func deliveryBody(number int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",` +
		`"metadata":{"display_phone_number":"15550100199","phone_number_id":"2"},"messages":[`)
	for i := range deliveryMessages {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"from":"4930%06d","id":"wamid.HBgLNDkzMDEyMzQ1NjcVAgASGBQ%08d%06d","timestamp":"1736935200","type":"text","text":{"body":"Is the blue one still there? Number %d."}}`,
			i%500, number, i, i)
	}
	b.WriteString(`]}}]}]}`)
	return b.Bytes()
}
