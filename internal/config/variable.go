package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"text/tabwriter"
)

// variable is what the tags of one field say.
type variable struct {
	field   string // name of the struct's field
	name    string // of the environment variable
	initial string // the default, in words where there is no value
	help    string
	secret  bool
	value   reflect.Value

	mayBeEmpty bool // the secret's file
}

// variables lists the fields of the struct that cfg points at, in their order.
func variables(cfg any) []variable {
	v := reflect.ValueOf(cfg).Elem()
	var vars []variable
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		if name == "" {
			panic("config: field " + field.Name + " has no env tag")
		}
		vars = append(vars, variable{
			field:   field.Name,
			name:    name,
			initial: initial(field.Tag),
			help:    field.Tag.Get("help"),
			secret:  field.Tag.Get("secret") != "",
			value:   v.Field(i),

			mayBeEmpty: field.Tag.Get("secret") == "optional",
		})
	}
	return vars
}

func initial(tag reflect.StructTag) string {
	if words, ok := tag.Lookup("default"); ok {
		return words
	}
	if value, ok := tag.Lookup("envDefault"); ok {
		return value
	}
	return "none"
}

// userInfo is the user, password or token inside a URL.
var userInfo = regexp.MustCompile(`://[^@/,\s]*@`)

const mask = "***"

// show returns value as it may be logged: a secret that is set becomes ***, and
// so does what stands before the @ of a URL.
func (v *variable) show(value string) string {
	if v.secret {
		if value == "" {
			return ""
		}
		return mask
	}
	return userInfo.ReplaceAllString(value, "://"+mask+"@")
}

// Attrs returns the effective configuration for the log, one attribute for each
// variable under its own name, secrets masked.
func Attrs(cfg any) []slog.Attr {
	vars := variables(cfg)
	attrs := make([]slog.Attr, len(vars))
	for i, v := range vars {
		attrs[i] = slog.String(v.name, v.show(fmt.Sprint(v.value.Interface())))
	}
	return attrs
}

// WriteTable writes the program's variables, their defaults and meanings.
func WriteTable(w io.Writer, cfg any) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "variable\tdefault\tmeaning")
	var secrets []string
	for _, v := range variables(cfg) {
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.name, v.initial, v.help)
		if v.secret {
			secrets = append(secrets, v.name)
		}
	}
	if len(secrets) > 0 {
		fmt.Fprintf(table, "\nAlso from a file, as NAME_FILE=/path: %s.\n", strings.Join(secrets, ", "))
	}
	return table.Flush()
}
