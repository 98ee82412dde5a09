// Package client sends signed webhooks to a sluice and reads what it stored: pages
// of messages, one message, statistics, the pipeline, and messages as they arrive.
// It refuses to know how a server does it.
//
// Requests that got no answer, or one that says "later", are sent again until their
// context ends or Config.Attempts is used up, after a pause that grows and is never
// shorter than the server's Retry-After. That is harmless for a webhook, since a
// message has an id.
//
// A Client remembers the highest sequence that its webhooks were given, and its
// reads ask for it: they see what it sent, whichever process answers.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"sluice/pkg/contract"
	"sluice/pkg/signature"
)

// Config is what a Client needs.
type Config struct {
	// URL is where the api is: "http://127.0.0.1:8000". A path before its own paths
	// is kept.
	URL string

	// Secret is WEBHOOK_SECRET, for Send. Who only reads needs none.
	Secret string

	// Token is OPERATOR_TOKEN, for reading where there is one.
	Token string

	// HTTP does the requests. nil = a client of this package's own, for many requests
	// at a time.
	HTTP *http.Client

	// Attempts bounds how often a request is sent. 0 = 10, some half a minute; below
	// 0 = until its context ends.
	Attempts int

	// Timeout bounds one attempt. 0 = 30 seconds.
	Timeout time.Duration

	// OnRetry, unless nil, is told of each attempt that is to be repeated, why, and
	// after what pause. Several goroutines may call it at a time.
	OnRetry func(err error, pause time.Duration)
}

// Client talks to one sluice. Its methods may be called by several goroutines.
type Client struct {
	cfg    Config
	base   *url.URL
	scheme *signature.HexHMAC // nil without a secret
	sent   atomic.Uint64      // highest sequence that a webhook was given
}

// New returns a Client. The error says what is wrong with the configuration; nothing
// is sent yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("client: URL: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("client: URL %q: must be like http://127.0.0.1:8000", cfg.URL)
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 10
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.HTTP == nil {
		cfg.HTTP = newHTTPClient()
	}
	c := &Client{cfg: cfg, base: base}
	if cfg.Secret != "" {
		c.scheme = signature.NewHexHMAC(cfg.Secret)
	}
	return c, nil
}

// newHTTPClient keeps as many connections as it used at a time, where Go's default
// keeps two, and follows no redirects: no path of the API has one.
func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1024
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request is a request that can be sent again.
type request struct {
	method string
	path   string // below the base, percent-encoded
	query  url.Values
	header http.Header
	body   []byte
}

// answer is a 200.
type answer struct {
	header   http.Header
	body     []byte
	attempts int
}

// do sends r until it is answered 200, refused for good, or given up.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
	b := backoff{}
	for attempt := 1; ; attempt++ {
		a, err := c.try(ctx, r)
		a.attempts = attempt
		if err == nil {
			return a, nil
		}
		if ctx.Err() != nil {
			return a, errors.Join(ctx.Err(), err)
		}
		if !mayRetry(err) || attempt == c.cfg.Attempts {
			return a, fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
		pause := b.next(retryAfter(err))
		if end, ok := ctx.Deadline(); ok && time.Until(end) < pause {
			return a, fmt.Errorf("%s %s: %w; there is no time to try again", r.method, r.path, err)
		}
		if c.cfg.OnRetry != nil {
			c.cfg.OnRetry(err, pause)
		}
		if err := sleep(ctx, pause); err != nil {
			return a, err
		}
	}
}

// try sends r once.
func (c *Client) try(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	res, err := c.send(ctx, r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{header: res.Header, body: body}, nil
}

// send sends r and returns the answer when it is a 200. The caller closes its body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	u := *c.base
	u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + r.path
	path, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return nil, err
	}
	u.Path, u.RawQuery = path, r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), newBody(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, "+contract.TypeProblem)
	req.Header.Set("User-Agent", "sluice-client")
	if c.cfg.Token != "" && r.method == http.MethodGet {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	res, err := c.cfg.HTTP.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return nil, failed.Err // the method and the path are told by who calls
	}
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, newError(res)
}

// get decodes what a path answers into v.
func (c *Client) get(ctx context.Context, path string, query url.Values, v any) error {
	a, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("GET %s: %w: %w", path, errMalformed, err)
	}
	return nil
}
