package client_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/pkg/client"
	"sluice/pkg/message"
)

// A client signs a message, delivers it, and reads it back.
func Example() {
	server := newWorld() // http://127.0.0.1:8000, say
	defer server.close()

	c, err := client.New(client.Config{URL: server.url, Secret: "testsecret", Token: "operators only"})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	text := "Hello"
	receipt, err := c.Send(ctx, message.Message{
		ID: "m1", From: "+919876543210", To: "+14155550100", TS: "2025-01-15T10:00:00Z", Text: &text,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("kept at", receipt.Sequence)

	m, err := c.Message(ctx, "m1")
	if err != nil {
		panic(err)
	}
	fmt.Println(m.From, "wrote", *m.Text)
	// Output:
	// kept at 1
	// +919876543210 wrote Hello
}

func ExampleClient_Send_refused() {
	server := newWorld()
	defer server.close()
	c, _ := client.New(client.Config{URL: server.url, Secret: "testsecret"})

	_, err := c.Send(context.Background(), message.Message{ID: "m1", From: "me", To: "+14155550100", TS: "2025-01-15T10:00:00Z"})
	if refused, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(refused.Status, refused.Code)
		for _, f := range refused.Fields {
			fmt.Println(f.Loc, f.Msg)
		}
	}
	// Output:
	// 422 validation_error
	// [body from] must be + followed by 1 to 15 digits
}

func ExampleClient_Messages() {
	server := newWorld()
	defer server.close()
	c, _ := client.New(client.Config{URL: server.url, Secret: "testsecret", Token: "operators only"})
	ctx := context.Background()
	for i := range 5 {
		if _, err := c.Send(ctx, hello(fmt.Sprint("m", i), i)); err != nil {
			panic(err)
		}
	}

	since := time.Date(2025, 1, 15, 10, 0, 2, 0, time.UTC)
	q := client.Query{Filter: message.Filter{Since: &since}, Descending: true, PageSize: 2}
	for m, err := range c.Messages(ctx, q) {
		if err != nil {
			panic(err)
		}
		fmt.Println(m.ID, m.TS, *m.Text)
	}
	// Output:
	// m4 2025-01-15T10:00:04Z Hello 4
	// m3 2025-01-15T10:00:03Z Hello 3
	// m2 2025-01-15T10:00:02Z Hello 2
}

func ExampleClient_Tail() {
	server := newWorld()
	defer server.close()
	c, _ := client.New(client.Config{URL: server.url, Secret: "testsecret", Token: "operators only"})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range 3 {
		if _, err := c.Send(ctx, hello(fmt.Sprint("m", i), i)); err != nil {
			panic(err)
		}
	}

	after := uint64(1) // the last sequence that was seen
	for e, err := range c.Tail(ctx, client.TailQuery{After: &after}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(e.Message.Seq, e.Message.ID)
		if e.Message.Seq == 3 {
			break
		}
	}
	// Output:
	// 2 m1
	// 3 m2
}
