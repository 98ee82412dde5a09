package natsd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// clusterName is the same in all nodes; another one would not be let in.
const clusterName = "sluice"

// routeUser goes with Cluster.Token: routes know users and passwords only.
const routeUser = "node"

// Cluster makes a server one node of several, which keep streams together. An
// entry is then acknowledged once more than half of a stream's nodes have it.
type Cluster struct {
	// Node is this server's name: its own in the cluster, and the same at each
	// start, for the others know it as the keeper of its share.
	Node string

	// Listen is host:port for the other nodes.
	Listen string

	// Routes are where the other nodes listen, separated by commas, as in
	// nats://host:port. This node itself may be among them.
	Routes string

	// Advertise is host:port under which the other nodes reach this one when they
	// hear of it from each other; empty for what they see of it.
	Advertise string

	// Token is what the nodes show one another.
	Token string

	// TLSCert, TLSKey and TLSCA are paths of PEM files: all of them or none. Nodes
	// then prove to one another that the authority signed them.
	TLSCert, TLSKey, TLSCA string
}

// Validate says what is wrong with c, nil when nothing is.
func (c *Cluster) Validate() error {
	if c.Node == "" || strings.ContainsAny(c.Node, " \t\r\n.*>") { // nats-server's rule for names
		return errors.New("this node's name must have no blanks and none of . * >")
	}
	host, _, err := splitAddress(c.Listen)
	if err != nil {
		return err
	}
	if c.Token == "" && !isLoopback(host) {
		return fmt.Errorf("listening on %s for other nodes, beyond loopback, needs a token", c.Listen)
	}
	if c.Routes == "" {
		return errors.New("the other nodes are not named")
	}
	if files := []string{c.TLSCert, c.TLSKey, c.TLSCA}; slices.Contains(files, "") && strings.Join(files, "") != "" {
		return errors.New("TLS needs a certificate, its key and the authority's certificate")
	}
	return nil
}

// apply has a server be that node.
func (c *Cluster) apply(opts *server.Options) error {
	host, port, err := splitAddress(c.Listen)
	if err != nil {
		return err
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	opts.ServerName = c.Node
	opts.Cluster = server.ClusterOpts{
		Name: clusterName, Host: host, Port: port,
		Advertise:   c.Advertise,
		NoAdvertise: true, // to clients: NATS_URL names the nodes; what they see of each other is of no use outside
	}
	if c.Token != "" {
		opts.Cluster.Username, opts.Cluster.Password = routeUser, c.Token
		opts.Cluster.AuthTimeout = server.AUTH_TIMEOUT.Seconds()
	}
	if opts.Routes, err = c.routes(); err != nil {
		return err
	}
	if c.TLSCert == "" {
		return nil
	}
	opts.Cluster.TLSConfig, err = c.tls()
	opts.Cluster.TLSTimeout = server.TLS_TIMEOUT.Seconds()
	return err
}

// routes returns the URLs of the other nodes, with what they ask for.
func (c *Cluster) routes() ([]*url.URL, error) {
	var urls []*url.URL
	for address := range strings.SplitSeq(c.Routes, ",") {
		address = strings.TrimSpace(address)
		if !strings.Contains(address, "://") {
			address = "nats://" + address
		}
		route, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		if _, _, err := net.SplitHostPort(route.Host); err != nil {
			return nil, fmt.Errorf("node %s: %w", address, err)
		}
		if c.Token != "" {
			route.User = url.UserPassword(routeUser, c.Token)
		}
		urls = append(urls, route)
	}
	return urls, nil
}

// tls is both sides of the connections between nodes: each asks for the other's
// certificate.
func (c *Cluster) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(c.TLSCA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", c.TLSCA)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		RootCAs:      pool,
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}, nil
}

// CaughtUp returns nil once this node has what the others have of a stream, else
// why not; nil for a server by itself. While one node is behind, another must not
// be taken away.
func (s *Server) CaughtUp(stream string) error {
	s.mu.RLock()
	srv, stopped := s.srv, s.stopped
	s.mu.RUnlock()
	if s.cfg.Cluster == nil {
		return nil
	}
	if stopped || srv == nil {
		return errClosed
	}
	h := srv.Healthz(&server.HealthzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Stream: stream})
	if h.Error != "" {
		return fmt.Errorf("this node has not caught up with the others: %s", h.Error)
	}
	return nil
}

// clusterHealth picks out of a node's health what a restart of it may cure. That
// the others are away, or that it has yet to catch up, is none of that.
func clusterHealth(h *server.HealthStatus) error {
	switchedOff := server.NewJSNotEnabledError().Error() // after a full disk
	for _, e := range h.Errors {
		if e.Error == switchedOff || strings.Contains(e.Error, "write error") {
			return fmt.Errorf("%w: %s", ErrStuck, e.Error)
		}
	}
	return nil
}
