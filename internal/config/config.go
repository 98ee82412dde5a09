// Package config reads a program's configuration from the environment and from
// secret files. It knows how variables are read, checked, listed and masked; it
// refuses to know any component: each program declares its own struct.
//
// A field of such a struct is one variable:
//
//	Secret   string        `env:"WEBHOOK_SECRET" secret:"true" help:"HMAC key"`
//	ReadWait time.Duration `env:"READ_WAIT" envDefault:"500ms" help:"how long a GET waits"`
//	MaxBytes Bytes         `env:"STREAM_MAX_BYTES" default:"a share of the free disk" help:"…"`
//
// env and envDefault are those of github.com/caarlos0/env; so are the options
// behind the name, as in `env:"WEBHOOK_SECRET,notEmpty"`. help is the meaning,
// default says in words what happens without a value where envDefault cannot,
// and secret makes the variable one that may come from a file and is masked
// wherever it is shown. The file may hold nothing where it is secret:"optional".
package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Environment returns the variables of this process, as Load takes them.
func Environment() map[string]string {
	return env.ToMap(os.Environ())
}

// Load fills the struct that cfg points at from environ. An empty value counts
// as none. The secret X may come as X_FILE instead, the path of a file that
// holds it; one line end at the end of the file is not part of the secret.
//
// The error is one line that names the variable and never shows a secret.
func Load(cfg any, environ map[string]string) error {
	vars := variables(cfg)
	values, err := readSecretFiles(vars, environ)
	if err != nil {
		return err
	}
	err = env.ParseWithOptions(cfg, env.Options{
		Environment: values,
		FuncMap:     map[reflect.Type]env.ParserFunc{reflect.TypeFor[time.Duration](): parseDuration},
	})
	if err != nil {
		return explain(err, vars, values)
	}
	return nil
}

// readSecretFiles returns a copy of environ in which the secrets that came as
// files stand under their own names.
func readSecretFiles(vars []variable, environ map[string]string) (map[string]string, error) {
	values := make(map[string]string, len(environ))
	maps.Copy(values, environ)
	for _, v := range vars {
		fileVar := v.name + "_FILE"
		path := environ[fileVar]
		if !v.secret || path == "" {
			continue
		}
		if environ[v.name] != "" {
			return nil, fmt.Errorf("%s and %s are both set; set one", v.name, fileVar)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fileVar, err)
		}
		secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		if secret == "" && !v.mayBeEmpty {
			return nil, fmt.Errorf("%s: %s is empty", fileVar, path)
		}
		values[v.name] = secret
	}
	return values, nil
}

// explain turns the first of the library's errors, which name the struct's
// field, into a line that names the variable.
func explain(err error, vars []variable, values map[string]string) error {
	var all env.AggregateError
	if errors.As(err, &all) && len(all.Errors) > 0 {
		err = all.Errors[0]
	}
	var (
		parse   env.ParseError
		missing env.VarIsNotSetError
		empty   env.EmptyVarError
		name    string
	)
	switch {
	case errors.As(err, &parse):
		for _, v := range vars {
			if v.field == parse.Name {
				return fmt.Errorf("%s=%q: %w", v.name, v.show(values[v.name]), rootOf(parse.Err))
			}
		}
	case errors.As(err, &missing):
		name = missing.Key
	case errors.As(err, &empty):
		name = empty.Key
	}
	for _, v := range vars {
		if v.name == name && v.secret {
			return fmt.Errorf("%s must be set, or %s_FILE to a file that holds it", name, name)
		}
		if v.name == name {
			return fmt.Errorf("%s must be set", name)
		}
	}
	return err
}

// rootOf drops the layers that say "parsing" once more.
func rootOf(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}
