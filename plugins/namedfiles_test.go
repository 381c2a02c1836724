package plugins_test

import (
	"regexp"
	"testing"

	"ulogd/engine"
	_ "ulogd/plugins"
)

// noFile are options whose manual speaks of files, though they name none that the daemon opens by itself.
var noFile = map[string]bool{
	"SYSLOG.socket": true, "MYSQL.host": true, "PGSQL.host": true, "PGSQL.connstring": true, // sockets of others
	"MYSQL.pass": true, "PGSQL.pass": true, "IPFIX.tls_peer_names": true, // which speak of options that do
	"PCAP.interface": true, "UNIXSOCK.owner": true, "UNIXSOCK.group": true,
}

// Every option that names a file says what becomes of it: a daemon that has shut itself in could not open it otherwise.
func TestOptionsThatNameFilesSaySo(t *testing.T) {
	speaks := regexp.MustCompile(`(?i)\b(files?|director(y|ies)|folders?|socket|PEM)\b`)
	n := 0
	for _, p := range engine.Default.Plugins() {
		if p.Refuse != nil {
			continue
		}
		for _, o := range engine.NewInstance(p, "x").Options.List() {
			text := o.Type == "string" || o.Type == "list"
			switch names := o.Names() != 0; {
			case names && noFile[p.Name+"."+o.Name]:
				t.Errorf("%s.%s names files and is said to name none", p.Name, o.Name)
			case names:
				n++
			case text && speaks.MatchString(o.Doc) && !noFile[p.Name+"."+o.Name]:
				t.Errorf("%s.%s speaks of files: call Reads, Writes or Fills where it is declared; %s", p.Name, o.Name, o.Doc)
			}
		}
	}
	if n < 20 {
		t.Errorf("%d options name files", n)
	}
}
