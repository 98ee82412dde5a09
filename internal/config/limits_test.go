package config_test

import (
	"testing"

	"sluice/internal/config"
)

func TestSizesAndRates(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "whatsapp=3MB": "whatsapp=3000000", "b=64KiB, a=1": "a=1,b=65536", "a=2MiB c=5B,b=7KB": "a=2097152,b=7000,c=5",
		"a": "!", "a=": "!", "a=MB": "!", "a=-1": "!", "a=0": "!", "a=1.5MB": "!", "a=3mb": "!", "a=99999999999": "!", "a=1,a=2": "!",
	} {
		var s config.Sizes
		if err := s.UnmarshalText([]byte(text)); (err != nil) != (want == "!") || err == nil && s.String() != want {
			t.Errorf("%q: %v, %v, want %s", text, s, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "", "plain=500/s": "plain=500/s", "a=30/m,b=7200/h": "a=0.5/s,b=2/s",
		"plain": "!", "plain=500": "!", "plain=0/s": "!", "plain=/s": "!", "plain=5/d": "!", "plain=-5/s": "!", "a=1/s a=1/s": "!",
	} {
		var r config.Rates
		if err := r.UnmarshalText([]byte(text)); (err != nil) != (want == "!") || err == nil && r.String() != want {
			t.Errorf("%q: %v, %v, want %s", text, r, err, want)
		}
	}
}
