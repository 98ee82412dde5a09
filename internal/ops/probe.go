package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// probeTimeout bounds a probe. A readiness check takes a second at most.
const probeTimeout = 5 * time.Second

// probes are what may be asked for, below /health/.
var probes = []string{"ready", "ready/ingest", "ready/query", "live"}

// ErrNoProbe means that there is no such probe.
var ErrNoProbe = errors.New("ask for one of " + strings.Join(probes, ", "))

// Probe asks the program that listens on addr (host:port, as it was told to
// listen) for what args name, "ready" when they name nothing. It returns the
// answer's body; the error says why there was none, or that it was not 200.
//
// It is for containers without a shell, whose engine runs the program itself to
// ask for its health.
func Probe(ctx context.Context, addr string, args ...string) (body string, err error) {
	what := strings.Join(args, " ")
	if what == "" {
		what = probes[0]
	}
	if !slices.Contains(probes, what) {
		return "", fmt.Errorf("%q: %w", what, ErrNoProbe)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(reachable(host), port) + "/health/" + what
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	// Neither a proxy of the environment nor a connection that outlives this.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %d: %s", url, res.StatusCode, strings.TrimSpace(string(text)))
	}
	return strings.TrimSpace(string(text)), nil
}

// reachable returns loopback for a host that means every address.
func reachable(host string) string {
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.IsUnspecified() && ip.Is4():
		return "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		return "::1"
	}
	return host
}
