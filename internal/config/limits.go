package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Sizes are numbers of bytes by a name: "whatsapp=3MB plain=64KiB".
type Sizes map[string]int64

// sizeUnits by their name; KB is a thousand, KiB 1024.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"KB", 1e3}, {"MB", 1e6}, {"B", 1}, {"", 1}}

// UnmarshalText reads sizes above zero.
func (s *Sizes) UnmarshalText(text []byte) error {
	all, err := named(string(text), parseSize)
	if err != nil {
		return err
	}
	*s = all
	return nil
}

func parseSize(text string) (int64, error) {
	for _, unit := range sizeUnits {
		if digits, ok := strings.CutSuffix(text, unit.name); ok {
			n, err := strconv.ParseInt(digits, 10, 32)
			if err != nil || n <= 0 {
				break
			}
			return n * unit.bytes, nil
		}
	}
	return 0, errors.New("must be name=size such as whatsapp=3MB, several separated by commas; units are B, KB, KiB, MB and MiB")
}

func (s Sizes) String() string {
	return list(s, func(n int64) string { return strconv.FormatInt(n, 10) })
}

// Rates are numbers a second by a name: "plain=500/s whatsapp=1000/m".
type Rates map[string]float64

// UnmarshalText reads rates above zero.
func (r *Rates) UnmarshalText(text []byte) error {
	all, err := named(string(text), parseRate)
	if err != nil {
		return err
	}
	*r = all
	return nil
}

func parseRate(text string) (float64, error) {
	digits, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(digits, 10, 31)
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if err != nil || n == 0 || seconds == 0 {
		return 0, errors.New("must be name=number/s such as plain=500/s, several separated by commas; also /m and /h")
	}
	return float64(n) / seconds, nil
}

func (r Rates) String() string {
	return list(r, func(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) + "/s" })
}

// named reads name=value, several separated by commas or blanks.
func named[T any](text string, parse func(string) (T, error)) (map[string]T, error) {
	all := map[string]T{}
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, value, _ := strings.Cut(one, "=")
		parsed, err := parse(value)
		if err != nil {
			return nil, err
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("has %q twice", name)
		}
		all[name] = parsed
	}
	return all, nil
}

func list[T any](all map[string]T, show func(T) string) string {
	var shown []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		shown = append(shown, name+"="+show(all[name]))
	}
	return strings.Join(shown, ",")
}
