// The server: where it is, and as whom to connect.

package mysql

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"

	driver "github.com/go-sql-driver/mysql"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
	"ulogd/plugins/output/store"
)

type server struct {
	store.Server
	tls, ca, name string
}

func (s *server) declare(opts *engine.Options) {
	s.Declare(opts, "localhost",
		"name or address of the server, or the path of its socket; localhost without a port is Debian's socket", 3306)
	opts.Enum(&s.tls, "tls", "no", []string{"no", "prefer", "verify"},
		"whether TLS is used; only verify makes sure that it is the server")
	opts.String(&s.ca, "ca_file", "", "certificates that the server's is checked against, PEM; unset: the system's")
	opts.Reads("ca_file")
	opts.String(&s.name, "server_name", "", "name that the server's certificate must have; unset: host")
}

const debianSocket = "/run/mysqld/mysqld.sock"

// address is where the server listens.
func (s *server) address() (network, address string) {
	switch {
	case strings.HasPrefix(s.Host, "/"):
		return "unix", s.Host
	case s.Host == "" || s.Host == "localhost" && s.Port == 0:
		return "unix", debianSocket
	}
	port := s.Port
	if port == 0 {
		port = 3306
	}
	return "tcp", net.JoinHostPort(s.Host, strconv.Itoa(port))
}

// Name says where the database is.
func (s *server) Name() string {
	_, address := s.address()
	return address + "/" + s.DB
}

// config is how to connect, with the password.
func (s *server) config() (_ *driver.Config, err error) {
	c := driver.NewConfig()
	c.Net, c.Addr = s.address()
	c.User, c.DBName = s.User, s.DB
	if c.Passwd, err = s.Pass.Read(); err != nil {
		return nil, err
	}
	c.MultiStatements = true
	c.Logger = &driver.NopLogger{} // it would write to standard error what it returns as well
	c.MaxAllowedPacket = 0         // what the server says
	c.Timeout = s.Timeout()
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
		c.ServerName = s.Host
	}
	return c, nil
}
