// The options of the HTTP listener, and who may reach it: what would let others read flows is
// refused before anything is opened.

package stacks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"ulogd/engine"
	"ulogd/engine/small"
)

// HTTP is the settings of the listener for metrics, health and the page.
type HTTP struct {
	Address   string // host:port, or the path of a unix socket; "": none
	TokenFile string
	Cert, Key string
	ClientCA  string
}

// Options declares the options of [global] that begin with http.
func (h *HTTP) Options(o *engine.Options) {
	o.String(&h.Address, "http", "", "where /metrics, /healthz, /readyz and the page are served: ADDRESS:PORT such as "+
		"127.0.0.1:9477, or the path of a unix socket, which is made with mode 0600; unset: nowhere")
	o.String(&h.TokenFile, "http_token_file", "", "file with the token that opens the page and the live flows; one "+
		"that is not there is made, with a random token and mode 0600; `ulogd page` prints an address that needs no typing")
	o.String(&h.Cert, "http_cert", "", "PEM file with the certificate, and those between it and its authority, for HTTPS")
	o.String(&h.Key, "http_key", "", "PEM file with the certificate's key")
	o.String(&h.ClientCA, "http_client_ca", "",
		"PEM file with the authorities whose client certificates are as good as the token")
}

// Unix returns the path of the unix socket to listen on.
func (h *HTTP) Unix() (path string, ok bool) {
	path, prefixed := strings.CutPrefix(h.Address, "unix:")
	return path, path != "" && (prefixed || strings.HasPrefix(path, "/"))
}

// Loopback reports whether only this host can reach the listener.
func (h *HTTP) Loopback() bool {
	if _, ok := h.Unix(); ok {
		return true
	}
	host, _, _ := net.SplitHostPort(h.Address)
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// Validate checks that only those can read flows who may. It does no I/O.
func (h *HTTP) Validate() error {
	if h.Address == "" {
		return h.unused()
	}
	if small.Build {
		return fmt.Errorf("http: %w", LacksHTTP())
	}
	_, unix := h.Unix()
	var errs []error
	if !unix {
		errs = append(errs, h.address())
	}
	switch {
	case unix && h.Cert+h.Key+h.ClientCA != "":
		errs = append(errs, errors.New("http: a unix socket has no TLS: its mode says who may connect; remove http_cert, "+
			"http_key and http_client_ca"))
	case h.Cert != "" && h.Key == "":
		errs = append(errs, errors.New("http_cert: its key is missing: set http_key"))
	case h.Key != "" && h.Cert == "":
		errs = append(errs, errors.New("http_key: its certificate is missing: set http_cert"))
	case h.ClientCA != "" && h.Cert == "":
		errs = append(errs, errors.New("http_client_ca: clients show certificates over TLS alone: set http_cert and "+
			"http_key"))
	case !unix && h.Cert == "" && !h.Loopback():
		errs = append(errs, fmt.Errorf("http: %s can be reached from other hosts, so it needs TLS: set http_cert and "+
			"http_key, or listen on 127.0.0.1", h.Address))
	}
	if !unix && h.TokenFile == "" && h.ClientCA == "" {
		errs = append(errs, errors.New(`http: other users of this host could read the flows: set http_token_file = "/etc/ulogd/http-token" (it is made if it is not there), or http_client_ca, or make http the path of a unix socket`))
	}
	return errors.Join(errs...)
}

// LacksHTTP is what whoever asks a build for small machines for its listener is told.
func LacksHTTP() error {
	return small.Lacks("the HTTP listener with metrics and the page", "ask the control socket: ulogd stats, flows and top")
}

// unused finds options of a listener that is not there.
func (h *HTTP) unused() error {
	for _, o := range []struct{ name, value string }{
		{"http_token_file", h.TokenFile},
		{"http_cert", h.Cert},
		{"http_key", h.Key},
		{"http_client_ca", h.ClientCA},
	} {
		if o.value != "" {
			return fmt.Errorf(`%s: there is no listener that needs it: set http, such as http = "127.0.0.1:9477"`, o.name)
		}
	}
	return nil
}

func (h *HTTP) address() error {
	host, port, err := net.SplitHostPort(h.Address)
	if err == nil && host != "" && host != "localhost" {
		_, err = netip.ParseAddr(host)
	}
	if n, numErr := strconv.ParseUint(port, 10, 16); err != nil || numErr != nil || n == 0 && port != "0" {
		return fmt.Errorf("http: %q is no address to listen on; write 127.0.0.1:9477, [::1]:9477, :9477 for all "+
			"addresses, or the path of a unix socket", h.Address)
	}
	return nil
}
