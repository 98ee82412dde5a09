package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"sluice/internal/source"
	"sluice/pkg/contract"
	"sluice/pkg/signature"
)

// sources returns the sources that have their secrets.
func (s *settings) sources() ([]source.Source, error) {
	secrets := s.secrets()
	all := []source.Source{source.NewPlain(secrets[source.PlainName])}
	if s.WhatsAppSecret != "" {
		all = append(all, source.NewWhatsApp(secrets[source.WhatsAppName]))
	}
	if s.TwilioToken != "" {
		all = append(all, source.NewTwilio(twilioURLs(s.PublicURL), secrets[source.TwilioName]))
	}
	if s.StandardSecret != "" {
		standard, err := source.NewStandard(secrets[source.StandardName])
		if err != nil {
			return nil, err
		}
		all = append(all, standard)
	}
	return all, nil
}

// secrets returns those of each source, by its name.
func (s *settings) secrets() map[string]source.Secrets {
	return map[string]source.Secrets{
		source.PlainName:    {Current: s.WebhookSecret, Previous: s.WebhookSecretPrevious},
		source.WhatsAppName: {Current: s.WhatsAppSecret, Previous: s.WhatsAppSecretPrevious, VerifyToken: s.WhatsAppVerifyToken},
		source.TwilioName:   {Current: s.TwilioToken, Previous: s.TwilioTokenPrevious},
		source.StandardName: {Current: s.StandardSecret, Previous: s.StandardSecretPrevious},
	}
}

// twilioURLs returns what Twilio may have been given for an api at public: an
// origin, or the URL itself, or what a proxy puts before our paths.
func twilioURLs(public string) []string {
	ours := contract.PathWebhook + "/" + source.TwilioName
	if strings.HasSuffix(public, ours) {
		return []string{public}
	}
	below := strings.TrimSuffix(public, "/") + ours
	if u, err := url.Parse(public); err != nil || u.Path == "" || u.Path == "/" {
		return []string{below}
	}
	return []string{public, below}
}

// validateSources refuses what would turn a source on by half.
func (s *settings) validateSources() error {
	for _, need := range []struct{ name, value, other, needed, why string }{
		{"WHATSAPP_APP_SECRET", s.WhatsAppSecret, "WHATSAPP_VERIFY_TOKEN", s.WhatsAppVerifyToken, "Meta asks for it before it sends"},
		{"WHATSAPP_VERIFY_TOKEN", s.WhatsAppVerifyToken, "WHATSAPP_APP_SECRET", s.WhatsAppSecret, "Meta signs with it"},
		{"TWILIO_AUTH_TOKEN", s.TwilioToken, "PUBLIC_URL", s.PublicURL, "Twilio signs the URL that it was given"},
		{"WEBHOOK_SECRET_PREVIOUS", s.WebhookSecretPrevious, "WEBHOOK_SECRET", s.WebhookSecret, currentToo},
		{"WHATSAPP_APP_SECRET_PREVIOUS", s.WhatsAppSecretPrevious, "WHATSAPP_APP_SECRET", s.WhatsAppSecret, currentToo},
		{"TWILIO_AUTH_TOKEN_PREVIOUS", s.TwilioTokenPrevious, "TWILIO_AUTH_TOKEN", s.TwilioToken, currentToo},
		{"STANDARD_WEBHOOKS_SECRET_PREVIOUS", s.StandardSecretPrevious, "STANDARD_WEBHOOKS_SECRET", s.StandardSecret, currentToo},
	} {
		if need.value != "" && need.needed == "" {
			return fmt.Errorf("%s is set, so %s must be: %s", need.name, need.other, need.why)
		}
	}
	for name, keys := range map[string]string{
		"STANDARD_WEBHOOKS_SECRET": s.StandardSecret, "STANDARD_WEBHOOKS_SECRET_PREVIOUS": s.StandardSecretPrevious,
	} {
		if _, err := signature.NewStandard(keys); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return validatePublicURL(s.PublicURL)
}

const currentToo = "it is what senders rotate to"

func validatePublicURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		err = errors.New("must be http:// or https:// and a host, as senders reach it")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		err = errors.New("must end before ? and #")
	}
	if err != nil {
		return fmt.Errorf("PUBLIC_URL=%q: %w", u.Redacted(), err)
	}
	return nil
}

// validateLimits refuses limits of nobody, and some that would be none.
func (s *settings) validateLimits() error {
	known := s.secrets()
	for name, most := range s.BodyLimits {
		if _, ok := known[name]; !ok {
			return fmt.Errorf("BODY_LIMITS: there is no source %q", name)
		}
		if most > int64(s.MaxBodyBytes) {
			return fmt.Errorf("BODY_LIMITS: %s=%d is more than MAX_BODY_BYTES, %d", name, most, s.MaxBodyBytes)
		}
	}
	for name := range s.RateLimits {
		if _, ok := known[name]; !ok {
			return fmt.Errorf("RATE_LIMITS: there is no source %q", name)
		}
	}
	return nil
}
