// The options of an output to a database server, under ulogd2's names.

package store

import (
	"fmt"
	"time"

	"ulogd/engine"
)

// A Server is where a database server is, and as whom to connect.
type Server struct {
	DB, Host, User string
	Pass           Secret
	Port, timeout  int
}

// Declare declares the options that all servers have. The host is by default what its help tells of, the port that one.
func (s *Server) Declare(opts *engine.Options, host, help string, port int) {
	opts.String(&s.DB, "db", "", "the database")
	opts.String(&s.Host, "host", host, help)
	engine.Range(opts, &s.Port, "port", 0, 0, 65535, fmt.Sprintf("port of the server; 0: %d", port))
	opts.String(&s.User, "user", "", "as whom to connect")
	s.Pass.Declare(opts, "pass")
	engine.Range(opts, &s.timeout, "connect_timeout", 0, 0, 3600, "seconds that an attempt to connect may take; 0: 10")
}

// Timeout is how long an attempt to connect may take; 0: nobody has said.
func (s *Server) Timeout() time.Duration { return time.Duration(s.timeout) * time.Second }
