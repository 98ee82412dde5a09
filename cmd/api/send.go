package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sluice/internal/config"
	"sluice/internal/source"
	"sluice/pkg/client"
)

const sendHelp = `api send signs messages and posts them to a running api, as a sender does.

  api send TEXT…         a message for each text, with an id of its own
  api send -file FILE    each line of the file is a body, sent as it is; "-" is standard input
  api send               the same from standard input

What cannot be taken right now is sent again, after a pause that grows. With -as it writes and signs
like another sender. The secret is the api's: WEBHOOK_SECRET, WHATSAPP_APP_SECRET, TWILIO_AUTH_TOKEN
(and PUBLIC_URL, if it is not -url), STANDARD_WEBHOOKS_SECRET, or the same with _FILE. Exit codes: 0 all are kept, 1 some are not, 2 bad usage.

Options:

`

// sendOptions is what the arguments say.
type sendOptions struct {
	url, file   string
	as          string
	from, to    string
	id, ts      string
	concurrency int
	rate        float64
	attempts    int
	texts       []string
}

// sendSettings is what the environment says.
type sendSettings struct {
	WebhookSecret  string `env:"WEBHOOK_SECRET" secret:"true"`
	WhatsAppSecret string `env:"WHATSAPP_APP_SECRET" secret:"true"`
	TwilioToken    string `env:"TWILIO_AUTH_TOKEN" secret:"true"`
	PublicURL      string `env:"PUBLIC_URL"`
	StandardSecret string `env:"STANDARD_WEBHOOKS_SECRET" secret:"true"`
}

// errUsage is what arguments that cannot be are.
var errUsage = errors.New("see api send -h")

// sendCommand runs "api send".
func sendCommand(ctx context.Context, args []string, environ map[string]string, stdin io.Reader, stdout, stderr io.Writer) (exit int) {
	var s sendSettings
	o, err := parseSend(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err == nil {
		err = config.Load(&s, environ)
	}
	var d dialect
	if err == nil {
		d, err = s.dialect(o.as, o.url)
	}
	var c *client.Client
	if err == nil {
		c, err = client.New(client.Config{URL: o.url, Attempts: o.attempts})
	}
	if err != nil {
		fmt.Fprintln(stderr, "api send:", err)
		return exitUsage
	}
	bodies, finish, err := o.bodies(stdin, d.text)
	if err != nil {
		fmt.Fprintln(stderr, "api send:", err)
		return exitFailed
	}
	defer finish()
	r := &sending{client: c, dialect: d, report: newSendReport(stdout, stderr, len(o.texts))}
	r.run(ctx, bodies, o)
	return r.report.end(ctx.Err())
}

func parseSend(args []string, stdout io.Writer) (o sendOptions, err error) {
	flags := flag.NewFlagSet("send", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.url, "url", "http://127.0.0.1:8000", "where the api is")
	flags.StringVar(&o.as, "as", source.PlainName, "the sender to be: plain, whatsapp, twilio, standard")
	flags.StringVar(&o.file, "file", "", "a file with a body on each line; - is standard input")
	flags.StringVar(&o.from, "from", "+919876543210", "the sender of each TEXT")
	flags.StringVar(&o.to, "to", "+14155550100", "the recipient of each TEXT")
	flags.StringVar(&o.id, "id", "", "the message_id of a single TEXT (default a new one)")
	flags.StringVar(&o.ts, "ts", "", "when each TEXT was sent, in RFC 3339 (default now)")
	flags.IntVar(&o.concurrency, "concurrency", 1, "requests at a time")
	flags.Float64Var(&o.rate, "rate", 0, "requests a second at most; 0 = as fast as they are taken")
	flags.IntVar(&o.attempts, "attempts", 10, "how often a body is sent at most; -1 = until it is taken")
	o.texts, err = parseMixed(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, sendHelp)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w; %w", err, errUsage)
	case o.file != "" && len(o.texts) > 0:
		return o, fmt.Errorf("either texts or -file; %w", errUsage)
	case o.id != "" && len(o.texts) != 1:
		return o, fmt.Errorf("-id is for a single text; %w", errUsage)
	case o.concurrency < 1 || o.rate < 0 || o.attempts == 0 || o.attempts < -1:
		return o, fmt.Errorf("-concurrency is at least 1, -rate at least 0, -attempts at least 1 or -1; %w", errUsage)
	}
	return o, nil
}

// parseMixed reads flags and texts in any order, and returns the texts. Behind "--"
// there are none but texts.
func parseMixed(flags *flag.FlagSet, args []string) (texts []string, err error) {
	for err = flags.Parse(args); err == nil && flags.NArg() > 0; err = flags.Parse(args) {
		if read := len(args) - flags.NArg(); read > 0 && args[read-1] == "--" {
			return append(texts, flags.Args()...), nil
		}
		texts, args = append(texts, flags.Arg(0)), flags.Args()[1:]
	}
	return texts, err
}

// sending is a run of the command.
type sending struct {
	client  *client.Client
	dialect dialect
	report  *sendReport
}

// run sends every body, so many at a time, until ctx ends.
func (s *sending) run(ctx context.Context, bodies <-chan sendBody, o sendOptions) {
	limit := rate.NewLimiter(rate.Inf, 1)
	if o.rate > 0 {
		limit.SetLimit(rate.Limit(o.rate))
	}
	var workers sync.WaitGroup
	for range o.concurrency {
		workers.Go(func() {
			for b := range bodies {
				if ctx.Err() == nil && limit.Wait(ctx) == nil {
					s.send(ctx, b)
				}
			}
		})
	}
	workers.Wait()
}

func (s *sending) send(ctx context.Context, b sendBody) {
	if b.err != nil {
		s.report.failed(b, b.err)
		return
	}
	began := time.Now()
	receipt, err := s.client.Deliver(ctx, s.dialect.path, s.dialect.header(b.body), b.body)
	if err != nil {
		s.report.failed(b, err)
		return
	}
	s.report.kept(b, receipt, time.Since(began))
}
