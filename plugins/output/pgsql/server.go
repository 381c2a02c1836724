// The server: where it is, and as whom to connect.

package pgsql

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

type server struct {
	db, host, user       string
	pass                 store.Secret
	connstring           string
	sslmode, sslrootcert string
	port, timeout        int
}

func (s *server) declare(opts *engine.Options) {
	opts.String(&s.db, "db", "", "the database")
	opts.String(&s.host, "host", "", "name or address of the server, or the directory of its socket; unset: the local "+
		"socket")
	engine.Range(opts, &s.port, "port", 0, 0, 65535, "port of the server; 0: 5432")
	opts.String(&s.user, "user", "", "as whom to connect")
	s.pass.Declare(opts, "pass")
	opts.String(&s.connstring, "connstring", "",
		"libpq's connection string; it replaces db, host, port, user, sslmode and sslrootcert")
	opts.Enum(&s.sslmode, "sslmode", "prefer",
		[]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
		"whether TLS is used, as libpq knows it; only verify-full makes sure that it is the server")
	opts.String(&s.sslrootcert, "sslrootcert", "",
		"file of the certificates that vouch for the server; system: those of the machine")
	opts.Reads("sslrootcert")
	engine.Range(opts, &s.timeout, "connect_timeout", 0, 0, 3600, "seconds that an attempt to connect may take; 0: 10")
}

func (s *server) validate() error {
	if s.connstring == "" && (s.db == "" || s.user == "") {
		return errors.New("db: db and user must be set, or connstring")
	}
	return nil
}

// Name says where the database is.
func (s *server) Name() string {
	c, err := s.parse()
	if err != nil {
		return s.db
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}

// config is how to connect, with the password.
func (s *server) config() (*pgconn.Config, error) {
	c, err := s.parse()
	if err != nil {
		return nil, err
	}
	word, err := s.pass.Read()
	if err != nil {
		return nil, err
	}
	if word != "" {
		c.Password = word
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "ulogd"
	}
	for name, value := range literals {
		c.RuntimeParams[name] = value
	}
	if s.timeout > 0 {
		c.ConnectTimeout = time.Duration(s.timeout) * time.Second
	}
	return c, nil
}

// literals are the settings of the session that say how literals are read.
var literals = map[string]string{"client_encoding": "UTF8", "standard_conforming_strings": "on", "timezone": "UTC"}

// parse reads the settings but the password as libpq does.
func (s *server) parse() (*pgconn.Config, error) {
	text := s.connstring
	if text == "" {
		text = "dbname=" + word(s.db) + " user=" + word(s.user) + " sslmode=" + s.sslmode
		for _, p := range []struct{ name, value string }{{"host", s.host}, {"sslrootcert", s.sslrootcert}} {
			if p.value != "" {
				text += " " + p.name + "=" + word(p.value)
			}
		}
		if s.port != 0 {
			text += fmt.Sprintf(" port=%d", s.port)
		}
	}
	c, err := pgconn.ParseConfig(text)
	if err != nil { // the error shows the text, which may have a password in it
		return nil, fmt.Errorf("the settings of the connection cannot be read: %w", errors.Unwrap(err))
	}
	return c, nil
}

// word quotes a value as libpq reads it.
func word(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
