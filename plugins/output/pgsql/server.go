// The server: where it is, and as whom to connect.

package pgsql

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

type server struct {
	store.Server
	connstring, sslmode, sslrootcert string
}

func (s *server) declare(opts *engine.Options) {
	s.Declare(opts, "", "name or address of the server, or the directory of its socket; unset: the local socket", 5432)
	opts.String(&s.connstring, "connstring", "",
		"libpq's connection string; it replaces db, host, port, user, sslmode and sslrootcert")
	opts.Enum(&s.sslmode, "sslmode", "prefer",
		[]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
		"whether TLS is used, as libpq knows it; only verify-full makes sure that it is the server")
	opts.String(&s.sslrootcert, "sslrootcert", "",
		"file of the certificates that vouch for the server; system: those of the machine")
	opts.Reads("sslrootcert")
}

func (s *server) validate() error {
	if s.connstring == "" && (s.DB == "" || s.User == "") {
		return errors.New("db: db and user must be set, or connstring")
	}
	return nil
}

// Name says where the database is.
func (s *server) Name() string {
	c, err := s.parse()
	if err != nil {
		return s.DB
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
}

// config is how to connect, with the password.
func (s *server) config() (*pgconn.Config, error) {
	c, err := s.parse()
	if err != nil {
		return nil, err
	}
	word, err := s.Pass.Read()
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
	if s.Timeout() > 0 { // else what connstring says
		c.ConnectTimeout = s.Timeout()
	}
	return c, nil
}

// literals are the settings of the session that say how literals are read.
var literals = map[string]string{"client_encoding": "UTF8", "standard_conforming_strings": "on", "timezone": "UTC"}

// parse reads the settings but the password as libpq does.
func (s *server) parse() (*pgconn.Config, error) {
	text := s.connstring
	if text == "" {
		text = "dbname=" + word(s.DB) + " user=" + word(s.User) + " sslmode=" + s.sslmode
		for _, p := range []struct{ name, value string }{{"host", s.Host}, {"sslrootcert", s.sslrootcert}} {
			if p.value != "" {
				text += " " + p.name + "=" + word(p.value)
			}
		}
		if s.Port != 0 {
			text += fmt.Sprintf(" port=%d", s.Port)
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
