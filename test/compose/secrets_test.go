package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/load"
)

// TestSecrets: secrets that come as files are used, and the engine tells nobody
// what they are.
func TestSecrets(t *testing.T) {
	needEngine(t)
	s := newStack(t, "compose.yaml", "compose.secrets.yaml")
	delete(s.env, "WEBHOOK_SECRET")
	const token = "compose test token"
	dir := filepath.Join(s.dir, "secrets")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"webhook_secret": secret, "nats_token": token} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.up()
	s.waitReady() // the writer has shown the token to the api
	ledger := &load.Ledger{}
	s.post(t, ledger, func() {})
	s.audit("writer", ledger)
	for _, service := range []string{"api", "writer"} {
		known := s.inspect(service, "{{json .}}")
		if !strings.Contains(known, "NATS_TOKEN_FILE=/run/secrets/nats_token") {
			t.Errorf("%s got its token by another way: %s", service, known)
		}
		for _, value := range []string{secret, token, "testsecret"} {
			if strings.Contains(known, value) {
				t.Errorf("docker inspect shows %q of %s", value, service)
			}
		}
	}
}
