// The server: where it is, and as whom to connect.

package mysql

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
	"ulogd/plugins/output/store"
)

type server struct {
	db, host, user string
	pass           store.Secret
	tls            string
	ca, name       string
	port, timeout  int
}

func (s *server) declare(opts *engine.Options) {
	opts.String(&s.db, "db", "", "the database")
	opts.String(&s.host, "host", "localhost",
		"name or address of the server, or the path of its socket; localhost without a port is Debian's socket")
	engine.Range(opts, &s.port, "port", 0, 0, 65535, "port of the server; 0: 3306")
	opts.String(&s.user, "user", "", "as whom to connect")
	s.pass.Declare(opts, "pass")
	opts.Enum(&s.tls, "tls", "no", []string{"no", "prefer", "verify"},
		"whether TLS is used; only verify makes sure that it is the server")
	opts.String(&s.ca, "ca_file", "", "certificates that the server's is checked against, PEM; unset: the system's")
	opts.Reads("ca_file")
	opts.String(&s.name, "server_name", "", "name that the server's certificate must have; unset: host")
	engine.Range(opts, &s.timeout, "connect_timeout", 0, 0, 3600, "seconds that an attempt to connect may take; 0: 10")
}

const debianSocket = "/run/mysqld/mysqld.sock"

// address is where the server listens.
func (s *server) address() (network, address string) {
	switch {
	case strings.HasPrefix(s.host, "/"):
		return "unix", s.host
	case s.host == "" || s.host == "localhost" && s.port == 0:
		return "unix", debianSocket
	}
	port := s.port
	if port == 0 {
		port = 3306
	}
	return "tcp", net.JoinHostPort(s.host, strconv.Itoa(port))
}

// Name says where the database is.
func (s *server) Name() string {
	_, address := s.address()
	return address + "/" + s.db
}

// config is how to connect, with the password.
func (s *server) config() (_ *driver.Config, err error) {
	c := driver.NewConfig()
	c.Net, c.Addr = s.address()
	c.User, c.DBName = s.user, s.db
	if c.Passwd, err = s.pass.Read(); err != nil {
		return nil, err
	}
	c.MultiStatements = true
	c.Logger = &driver.NopLogger{} // it would write to standard error what it returns as well
	c.MaxAllowedPacket = 0         // what the server says
	if c.Timeout = time.Duration(s.timeout) * time.Second; c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	switch s.tls {
	case "prefer":
		c.TLSConfig = "preferred"
	case "verify":
		c.TLS, err = s.verified()
	}
	return c, err
}

// verified checks the server's certificate.
func (s *server) verified() (*tls.Config, error) {
	c, err := dial.TLS(s.ca, "", "")
	if err != nil {
		return nil, err
	}
	if c.ServerName = s.name; c.ServerName == "" {
		c.ServerName = s.host
	}
	return c, nil
}
