package natsd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

func TestCluster_validate(t *testing.T) {
	good := Cluster{Node: "api-1", Listen: "0.0.0.0:6222", Routes: "api-2:6222", Token: "t"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Cluster){
		"name":          func(c *Cluster) { c.Node = "" },
		"no blanks":     func(c *Cluster) { c.Node = "api.1" },
		"needs a token": func(c *Cluster) { c.Token = "" },
		"not named":     func(c *Cluster) { c.Routes = "" },
		"port":          func(c *Cluster) { c.Listen = "0.0.0.0:http" },
		"its key":       func(c *Cluster) { c.TLSCert = "cert.pem" },
	} {
		c := good
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// TestCluster_letsInWhoShowsTokenAndCertificate: two nodes find each other; those
// with another token, or with a certificate of another authority, do not.
func TestCluster_letsInWhoShowsTokenAndCertificate(t *testing.T) {
	certificates, forged := newAuthority(t), newAuthority(t)
	first := startNode(t, Cluster{Node: "first", Token: "good", Routes: "127.0.0.1:1"}, certificates)
	at := first.srv.ClusterAddr().String()
	startNode(t, Cluster{Node: "third", Token: "bad", Routes: at}, certificates)
	startNode(t, Cluster{Node: "fourth", Token: "good", Routes: at}, forged)
	startNode(t, Cluster{Node: "second", Token: "good", Routes: at}, certificates)

	known := func() (names []string) {
		routes, err := first.srv.Routez(&server.RoutezOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range routes.Routes {
			names = append(names, r.RemoteName)
		}
		return names
	}
	for deadline := time.Now().Add(20 * time.Second); len(known()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the nodes do not find each other")
		}
	}
	for _, name := range known() {
		if name != "second" {
			t.Errorf("%q was let in", name)
		}
	}
}

func startNode(t *testing.T, c Cluster, certificates func(node string) (cert, key, ca string)) *Server {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	c.TLSCert, c.TLSKey, c.TLSCA = certificates(c.Node)
	s, err := Start(Config{StoreDir: t.TempDir(), Listen: "127.0.0.1:0", Cluster: &c}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// newAuthority makes an authority and returns what signs a node's certificate.
func newAuthority(t *testing.T) func(node string) (cert, key, ca string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
	}
	sign := func(of, by *x509.Certificate, public *ecdsa.PublicKey, with *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, of, by, public, with)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	authority, authorityKey := template("authority"), newKey()
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	ca := write("ca.pem", "CERTIFICATE", sign(authority, authority, &authorityKey.PublicKey, authorityKey))
	return func(node string) (string, string, string) {
		key, leaf := newKey(), template(node)
		leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return write(node+".pem", "CERTIFICATE", sign(leaf, authority, &key.PublicKey, authorityKey)),
			write(node+".key", "EC PRIVATE KEY", der), ca
	}
}

// TestClusterHealth: a node that lacks the others is not restarted, which would
// only delay them further; one that cannot write is.
func TestClusterHealth(t *testing.T) {
	lonely := startNode(t, Cluster{Node: "lonely", Token: "t", Routes: "127.0.0.1:1"}, newAuthority(t))
	if h := lonely.srv.Healthz(&server.HealthzOptions{}); h.Error == "" {
		t.Error("the server is well without the others: this test proves nothing")
	}
	if err := lonely.health(); err != nil {
		t.Errorf("without the others: %v", err)
	}
	for _, said := range []string{
		"JetStream stream '$G > WEBHOOKS' is not current: node write error: no space left on device",
		server.NewJSNotEnabledError().Error(),
	} {
		if err := clusterHealth(&server.HealthStatus{Errors: []server.HealthzError{{Error: said}}}); !errors.Is(err, ErrStuck) {
			t.Errorf("%s: %v", said, err)
		}
	}
}
