package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"

	"modernc.org/sqlite"
)

// conn is one SQLite connection with its prepared statements, for one goroutine
// at a time. It is the driver's own connection: database/sql would add locks,
// copies and conversions for each of the many small statements, and its pool
// knows nothing of a file that was replaced.
type conn struct {
	driver driver.Conn
	stmts  map[string]statement
	args   []driver.NamedValue // of the statement being started, reused
}

// statement is what the driver's prepared statements can do.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// openConn opens the database at path. mode is SQLite's: ro never makes a file,
// rwc does.
func openConn(path, mode string) (*conn, error) {
	c, err := (&sqlite.Driver{}).Open(fileURI(path, mode))
	if err != nil {
		return nil, explain(err)
	}
	return &conn{driver: c, stmts: make(map[string]statement)}, nil
}

// fileURI names a file as SQLite wants it, see https://www.sqlite.org/uri.html.
func fileURI(path, mode string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=" + mode}).String()
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	errs = append(errs, c.driver.Close())
	return errors.Join(errs...)
}

// exec runs a statement that is not worth keeping prepared, or a script.
func (c *conn) script(sql string) error {
	s, err := c.driver.Prepare(sql)
	if err != nil {
		return explain(err)
	}
	defer s.Close()
	_, err = s.(statement).ExecContext(background, nil)
	return explain(err)
}

// exec runs a statement that returns nothing.
func (c *conn) exec(sql string, args ...driver.Value) error {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(background, c.name(args))
	return explain(err)
}

// query calls f for each row. The row's values are f's to keep, the slice is not.
// f must not run the same statement again.
func (c *conn) query(sql string, f func(row []driver.Value) error, args ...driver.Value) error {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(background, c.name(args))
	if err != nil {
		return explain(err)
	}
	defer rows.Close()

	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return explain(err)
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// one returns the first row, nil when there is none.
func (c *conn) one(sql string, args ...driver.Value) (first []driver.Value, err error) {
	err = c.query(sql, func(row []driver.Value) error {
		if first == nil {
			first = append(first, row...)
		}
		return nil
	}, args...)
	return first, err
}

// prepare returns the statement, prepared once for each connection.
func (c *conn) prepare(sql string) (statement, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	s, err := c.driver.Prepare(sql)
	if err != nil {
		return nil, explain(err)
	}
	st, ok := s.(statement)
	if !ok {
		panic(fmt.Sprintf("store: the driver's statement is a %T", s))
	}
	c.stmts[sql] = st
	return st, nil
}

func (c *conn) name(args []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// The columns of our tables are STRICT, so a value of another type than the one
// expected is NULL, or the file is damaged. Zero values stand for both.

func integer(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func str(v driver.Value) string {
	s, _ := v.(string)
	return s
}

func blob(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}
