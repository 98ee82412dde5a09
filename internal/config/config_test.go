package config_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/config"
)

type sample struct {
	Secret   string             `env:"WEBHOOK_SECRET,notEmpty" secret:"true" help:"the HMAC key"`
	Database config.DatabaseURL `env:"DATABASE_URL" envDefault:"sqlite:////data/app.db" help:"four slashes absolute, three relative"`
	LogLevel config.Level       `env:"LOG_LEVEL" envDefault:"INFO" help:"DEBUG, INFO, WARNING, ERROR"`
	Address  string             `env:"HTTP_ADDR" envDefault:":8000" help:"where it listens"`
	NATSURL  config.ServerURLs  `env:"NATS_URL" default:"the embedded server" help:"an external server"`
	Token    string             `env:"NATS_TOKEN" secret:"true" help:"what clients show"`
	ReadWait time.Duration      `env:"READ_WAIT" envDefault:"500ms" help:"0 = never wait"`
	MaxBytes config.Bytes       `env:"MAX_BODY_BYTES" envDefault:"4194304"`
}

func load(environ map[string]string) (sample, error) {
	var c sample
	err := config.Load(&c, environ)
	return c, err
}

func TestLoad_defaults(t *testing.T) {
	c, err := load(map[string]string{"WEBHOOK_SECRET": "s", "HTTP_ADDR": ""})
	if err != nil {
		t.Fatal(err)
	}
	want := sample{
		Secret:   "s",
		Database: "sqlite:////data/app.db",
		LogLevel: config.Level(slog.LevelInfo),
		Address:  ":8000",
		ReadWait: 500 * time.Millisecond,
		MaxBytes: 4 << 20,
	}
	if c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
	if c.Database.Path() != "/data/app.db" || c.LogLevel.String() != "INFO" {
		t.Errorf("got database %q, level %s", c.Database.Path(), c.LogLevel)
	}
}

func TestLoad_values(t *testing.T) {
	c, err := load(map[string]string{
		"WEBHOOK_SECRET": "s", "DATABASE_URL": "sqlite:///data/app.db", "LOG_LEVEL": "warning",
		"READ_WAIT": "0", "MAX_BODY_BYTES": "10",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Database.Path() != "data/app.db" || c.LogLevel.String() != "WARNING" || c.ReadWait != 0 || c.MaxBytes != 10 {
		t.Errorf("got %+v", c)
	}
}

func TestLoad_aBadValueIsOneLineThatNamesTheVariable(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"LOG_LEVEL", "LOUD", `LOG_LEVEL="LOUD": must be DEBUG, INFO, WARNING or ERROR`},
		{"LOG_LEVEL", "INFO+1", `LOG_LEVEL="INFO+1": must be`},
		{"READ_WAIT", "5", `READ_WAIT="5": must be a duration`},
		{"READ_WAIT", "-5s", `READ_WAIT="-5s": must be a duration`},
		{"MAX_BODY_BYTES", "4 MiB", `MAX_BODY_BYTES="4 MiB": must be a number of bytes`},
		{"MAX_BODY_BYTES", "1\n2", `MAX_BODY_BYTES="1\n2": must be`},
		{"MAX_BODY_BYTES", "0", `MAX_BODY_BYTES="0": must be`},
		{"DATABASE_URL", "app.db", `DATABASE_URL="app.db": must be sqlite:////absolute`},
		{"DATABASE_URL", "sqlite:///", `DATABASE_URL="`},
		{"DATABASE_URL", "sqlite:////data/", `DATABASE_URL="`},
		{"DATABASE_URL", "sqlite:////data/app.db?mode=ro", `DATABASE_URL="`},
		{"DATABASE_URL", "sqlite:///:memory:", `DATABASE_URL="`},
		{"DATABASE_URL", "postgres://user:hunter2@host/db", `DATABASE_URL="postgres://***@host/db": must be`},
		{"NATS_URL", "http://a:4222", `NATS_URL="http://a:4222": must be nats://host:port`},
		{"NATS_URL", "nats://a:4222,nats://%", `NATS_URL="`},
		{"NATS_URL", "nats://:4222", `NATS_URL="`},
		{"WEBHOOK_SECRET", "", `WEBHOOK_SECRET must be set, or WEBHOOK_SECRET_FILE to a file`},
		{"NATS_TOKEN_FILE", "/no/such/file", `NATS_TOKEN_FILE: open /no/such/file: no such file`},
	}
	for _, test := range tests {
		environ := map[string]string{"WEBHOOK_SECRET": "s"}
		environ[test.name] = test.value
		_, err := load(environ)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s=%q: got error %v, want %q", test.name, test.value, err, test.want)
		}
	}
}

func TestLoad_secretFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for content, want := range map[string]string{"abc": "abc", "abc\n": "abc", "abc\r\n": "abc", " a b \n\n": " a b \n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := load(map[string]string{"WEBHOOK_SECRET_FILE": path})
		if err != nil || c.Secret != want {
			t.Errorf("file %q: got %q, %v; want %q", content, c.Secret, err, want)
		}
	}

	_, err := load(map[string]string{"WEBHOOK_SECRET_FILE": path, "WEBHOOK_SECRET": "s"})
	if err == nil || err.Error() != "WEBHOOK_SECRET and WEBHOOK_SECRET_FILE are both set; set one" {
		t.Errorf("both set: got error %v", err)
	}

	if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = load(map[string]string{"WEBHOOK_SECRET_FILE": path})
	if err == nil || !strings.HasPrefix(err.Error(), "WEBHOOK_SECRET_FILE: ") {
		t.Errorf("empty file: got error %v", err)
	}
}

func TestAttrs_showNoSecret(t *testing.T) {
	c, err := load(map[string]string{"WEBHOOK_SECRET": "hunter2", "NATS_URL": "nats://hunter2@a:4222,nats://u:hunter2@b:4222"})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprint(config.Attrs(&c))
	if strings.Contains(shown, "hunter2") {
		t.Errorf("a secret is shown: %s", shown)
	}
	for _, want := range []string{
		"WEBHOOK_SECRET=***", "NATS_TOKEN=", "LOG_LEVEL=INFO", "READ_WAIT=500ms", "MAX_BODY_BYTES=4194304",
		"DATABASE_URL=sqlite:////data/app.db", "NATS_URL=nats://***@a:4222,nats://***@b:4222",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%s is missing in %s", want, shown)
		}
	}
}

func TestWriteTable(t *testing.T) {
	var b strings.Builder
	if err := config.WriteTable(&b, &sample{}); err != nil {
		t.Fatal(err)
	}
	const want = `variable        default                 meaning
WEBHOOK_SECRET  none                    the HMAC key
DATABASE_URL    sqlite:////data/app.db  four slashes absolute, three relative
LOG_LEVEL       INFO                    DEBUG, INFO, WARNING, ERROR
HTTP_ADDR       :8000                   where it listens
NATS_URL        the embedded server     an external server
NATS_TOKEN      none                    what clients show
READ_WAIT       500ms                   0 = never wait
MAX_BODY_BYTES  4194304                 
`
	if !strings.HasPrefix(b.String(), want) {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
	if !strings.Contains(b.String(), "WEBHOOK_SECRET, NATS_TOKEN.") {
		t.Errorf("the secrets are not named in:\n%s", b.String())
	}
}

func TestLoad_anOptionalSecretsFileMayBeEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "previous")
	for content, want := range map[string]string{"": "", "\n": "", "old\n": "old"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var c struct {
			Previous string `env:"WEBHOOK_SECRET_PREVIOUS" secret:"optional"`
		}
		if err := config.Load(&c, map[string]string{"WEBHOOK_SECRET_PREVIOUS_FILE": path}); err != nil || c.Previous != want {
			t.Errorf("%q: %q, %v", content, c.Previous, err)
		}
	}
}
