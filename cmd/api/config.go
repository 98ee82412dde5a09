package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"sluice/internal/config"
	"sluice/internal/natsd"
	"sluice/internal/stream"
	"sluice/internal/tracing"
)

// settings is the api's whole configuration.
type settings struct {
	WebhookSecret         string `env:"WEBHOOK_SECRET,notEmpty" secret:"true" help:"HMAC key of /webhook"`
	WebhookSecretPrevious string `env:"WEBHOOK_SECRET_PREVIOUS" secret:"optional" help:"also accepted, while senders rotate"`

	WhatsAppSecret         string `env:"WHATSAPP_APP_SECRET" secret:"true" help:"turns /webhook/whatsapp on: the secret of the Meta app"`
	WhatsAppSecretPrevious string `env:"WHATSAPP_APP_SECRET_PREVIOUS" secret:"optional" help:"also accepted, while the secret rotates"`
	WhatsAppVerifyToken    string `env:"WHATSAPP_VERIFY_TOKEN" secret:"true" help:"what Meta is to show before it sends"`
	TwilioToken            string `env:"TWILIO_AUTH_TOKEN" secret:"true" help:"turns /webhook/twilio on"`
	TwilioTokenPrevious    string `env:"TWILIO_AUTH_TOKEN_PREVIOUS" secret:"optional" help:"also accepted, while the token rotates"`
	PublicURL              string `env:"PUBLIC_URL" help:"where Twilio reaches this api, https://host or the whole URL that it was given: Twilio signs it"`
	StandardSecret         string `env:"STANDARD_WEBHOOKS_SECRET" secret:"true" help:"turns /webhook/standard on: whsec_… or whpk_…, several with blanks between them"`
	StandardSecretPrevious string `env:"STANDARD_WEBHOOKS_SECRET_PREVIOUS" secret:"optional" help:"also accepted, while senders rotate"`

	DatabaseURL config.DatabaseURL `env:"DATABASE_URL" envDefault:"sqlite:////data/app.db" help:"the writer's database: four slashes absolute, three relative"`
	LogLevel    config.Level       `env:"LOG_LEVEL" envDefault:"INFO" help:"DEBUG, INFO, WARNING, ERROR; at WARNING the line for each request is off"`
	HTTPAddr    config.Address     `env:"HTTP_ADDR" envDefault:":8000" help:"where the api listens"`

	NATSURL      config.ServerURLs `env:"NATS_URL" default:"the embedded server" help:"an external server or cluster"`
	NATSListen   config.Address    `env:"NATS_LISTEN" envDefault:"127.0.0.1:4222" help:"where the embedded server listens for writers"`
	NATSToken    string            `env:"NATS_TOKEN" secret:"true" help:"asked of clients when set; must be set to listen beyond loopback"`
	NATSStoreDir string            `env:"NATS_STORE_DIR" envDefault:"/data/jetstream" help:"embedded stream storage"`

	ClusterListen  config.Address    `env:"NATS_CLUSTER_LISTEN" default:"none, the server is by itself" help:"where the embedded server listens for those of other apis; they then keep the stream together"`
	ClusterNode    string            `env:"NATS_CLUSTER_NODE" help:"this api's name in the cluster: its own, and the same at each start"`
	ClusterRoutes  config.ServerURLs `env:"NATS_CLUSTER_ROUTES" help:"where the other apis' servers listen, separated by commas"`
	ClusterAdvert  string            `env:"NATS_CLUSTER_ADVERTISE" default:"what the others see" help:"host:port under which the other servers reach this one, behind address translation"`
	ClusterToken   string            `env:"NATS_CLUSTER_TOKEN" secret:"true" help:"what the apis' servers show one another; must be set to listen beyond loopback"`
	ClusterTLSCert string            `env:"NATS_CLUSTER_TLS_CERT" help:"file of this api's certificate, for TLS between them; the name in a route must be in it"`
	ClusterTLSKey  string            `env:"NATS_CLUSTER_TLS_KEY" help:"file of its key"`
	ClusterTLSCA   string            `env:"NATS_CLUSTER_TLS_CA" help:"file of the authority that signed all of them"`

	StreamMaxBytes  config.Bytes  `env:"STREAM_MAX_BYTES" default:"a share of the free disk" help:"upper bound of the stream; at it, 503 until there is room"`
	StreamRetention time.Duration `env:"STREAM_RETENTION" envDefault:"168h" help:"entries older than this and applied by every writer may be trimmed"`
	TrimInterval    time.Duration `env:"TRIM_INTERVAL" envDefault:"1m" help:"how often the stream is looked at for entries to trim"`
	TrimSettle      time.Duration `env:"TRIM_SETTLE" envDefault:"10m" help:"how long after a start nothing is trimmed, so that writers can come back"`
	DedupWindow     time.Duration `env:"DEDUP_WINDOW" envDefault:"2m" help:"how long the stream itself drops repeated ids; the database's key does for ever"`
	AckDurability   durability    `env:"ACK_DURABILITY" envDefault:"fsync" help:"what a 200 survives: fsync = power loss, process = kill -9 only, replicated = a quorum of a cluster"`

	TraceEndpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" default:"no tracing" help:"an OpenTelemetry collector's OTLP over HTTP: http://127.0.0.1:4318"`
	TraceHeaders  string `env:"OTEL_EXPORTER_OTLP_HEADERS" secret:"true" help:"what the collector asks for: name=value,…"`

	OperatorToken string `env:"OPERATOR_TOKEN" secret:"true" help:"asked of everybody who reads; none = reading is open"`

	WriterName     config.WriterName `env:"WRITER_NAME" envDefault:"writer" help:"the writer whose database this is, for /pipeline"`
	ReadWait       time.Duration     `env:"READ_WAIT" envDefault:"500ms" help:"how long a GET waits for what this process acknowledged; 0 = never"`
	MaxBodyBytes   config.Bytes      `env:"MAX_BODY_BYTES" envDefault:"4194304" help:"a larger body is 413"`
	BodyLimits     config.Sizes      `env:"BODY_LIMITS" help:"smaller bounds for some sources: whatsapp=3MB,plain=64KiB; of plain, whatsapp, twilio, standard"`
	RateLimits     config.Rates      `env:"RATE_LIMITS" help:"signed deliveries a second from some sources, as plain=500/s; also /m and /h; one too many is 429"`
	RequestTimeout time.Duration     `env:"REQUEST_TIMEOUT" envDefault:"30s" help:"how long a request may take to come in, from its first byte to its last; a slower one is 408"`
	StopDelay      time.Duration     `env:"STOP_DELAY" envDefault:"0s" help:"how long a stop goes on taking requests while it is not ready: time for balancers to notice"`
}

// durability is what a 200 is worth.
type durability string

const (
	durabilityFsync      durability = "fsync"
	durabilityProcess    durability = "process"
	durabilityReplicated durability = "replicated"
)

// UnmarshalText reads a mode.
func (d *durability) UnmarshalText(text []byte) error {
	switch mode := durability(text); mode {
	case durabilityFsync, durabilityProcess, durabilityReplicated:
		*d = mode
		return nil
	}
	return errors.New("must be fsync, process or replicated")
}

// embedded reports whether the stream lives in this process.
func (s *settings) embedded() bool { return s.NATSURL == "" }

// clustered reports whether the embedded server is one of several that keep the
// stream together.
func (s *settings) clustered() bool { return s.embedded() && s.ClusterListen != "" }

// validate checks what one variable alone cannot tell.
func (s *settings) validate() error {
	if err := (tracing.Config{Endpoint: s.TraceEndpoint, Headers: s.TraceHeaders}).Validate(); err != nil {
		return err
	}
	if s.DedupWindow < minDedupWindow {
		return fmt.Errorf("DEDUP_WINDOW=%q: must be at least %v", s.DedupWindow, minDedupWindow)
	}
	if s.RequestTimeout < minRequestTimeout {
		return fmt.Errorf("REQUEST_TIMEOUT=%q: must be at least %v", s.RequestTimeout, minRequestTimeout)
	}
	if s.StopDelay < 0 {
		return fmt.Errorf("STOP_DELAY=%q: must not be less than 0", s.StopDelay)
	}
	if s.MaxBodyBytes > maxBodyBytes {
		return fmt.Errorf("MAX_BODY_BYTES=\"%d\": must be at most %d", s.MaxBodyBytes, maxBodyBytes)
	}
	if s.TrimInterval <= 0 {
		return fmt.Errorf("TRIM_INTERVAL=%q: must be more than 0", s.TrimInterval)
	}
	if s.TrimSettle <= 0 {
		return fmt.Errorf("TRIM_SETTLE=%q: must be more than 0", s.TrimSettle)
	}
	if err := s.validateSources(); err != nil {
		return err
	}
	if err := s.validateLimits(); err != nil {
		return err
	}
	if !s.embedded() {
		return nil
	}
	switch {
	case s.AckDurability == durabilityReplicated && !s.clustered():
		return errors.New("ACK_DURABILITY=\"replicated\": needs a cluster; set NATS_URL or NATS_CLUSTER_LISTEN")
	case s.AckDurability == durabilityProcess && s.clustered():
		return errors.New("ACK_DURABILITY=\"process\": a cluster replicates; use replicated, or fsync to have each node sync as well")
	}
	return s.validateServer()
}

const (
	minDedupWindow    = 100 * time.Millisecond // nats-server's own bound (stream.go, checkStreamCfg)
	minRequestTimeout = time.Second
	maxBodyBytes      = natsd.MaxPayloadLimit - envelopeBytes
)

// validateServer checks what the embedded server is given.
func (s *settings) validateServer() error {
	if err := s.server().Validate(); err != nil {
		return fmt.Errorf("NATS_TOKEN: %w", err)
	}
	return s.validateCluster()
}

// validateCluster checks that what makes the embedded server one of several is
// there as a whole: a part of it would be an api by itself that was meant not to be.
func (s *settings) validateCluster() error {
	for _, part := range []struct{ name, value string }{
		{"NATS_CLUSTER_NODE", s.ClusterNode},
		{"NATS_CLUSTER_ROUTES", string(s.ClusterRoutes)},
	} {
		switch {
		case s.clustered() && part.value == "":
			return fmt.Errorf("NATS_CLUSTER_LISTEN is set, so %s must be", part.name)
		case !s.clustered() && part.value != "":
			return fmt.Errorf("%s is set, so NATS_CLUSTER_LISTEN must be: without it this api is by itself", part.name)
		}
	}
	if cluster := s.cluster(); cluster != nil {
		if err := cluster.Validate(); err != nil {
			return fmt.Errorf("NATS_CLUSTER_*: %w", err)
		}
	}
	return nil
}

// trimmer is how the stream is trimmed.
func (s *settings) trimmer() stream.TrimmerConfig {
	return stream.TrimmerConfig{Retention: s.StreamRetention, Interval: s.TrimInterval, Settle: s.TrimSettle}
}

// server is the embedded server's configuration.
func (s *settings) server() natsd.Config {
	return natsd.Config{
		StoreDir:   s.NATSStoreDir,
		Listen:     string(s.NATSListen),
		Token:      s.NATSToken,
		MaxPayload: min(natsd.MaxPayloadLimit, base64.StdEncoding.EncodedLen(int(s.MaxBodyBytes))+envelopeBytes),
		SyncAlways: s.clustered() && s.AckDurability == durabilityFsync,
		Cluster:    s.cluster(),
	}
}

// cluster is what makes the embedded server one of several, nil when it is by itself.
func (s *settings) cluster() *natsd.Cluster {
	if !s.clustered() {
		return nil
	}
	return &natsd.Cluster{
		Node: s.ClusterNode, Listen: string(s.ClusterListen), Routes: string(s.ClusterRoutes), Advertise: s.ClusterAdvert, Token: s.ClusterToken,
		TLSCert: s.ClusterTLSCert, TLSKey: s.ClusterTLSKey, TLSCA: s.ClusterTLSCA,
	}
}
