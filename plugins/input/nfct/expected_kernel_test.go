package nfct_test

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"ulogd/test/stacktest"
)

// TestExpectedConnections: the kernel follows FTP, and the data connection's end names the control
// connection that announced it, also where an event of the end does not.
func TestExpectedConnections(t *testing.T) {
	for _, settings := range []string{"", "hash_enable = false\nevent_mask = 7"} {
		t.Run(settings, func(t *testing.T) {
			ns := tracked(t)
			ns.Nft(t, `table ip follow {
	ct helper ftp21 { type "ftp" protocol tcp; }
	chain out { type filter hook output priority 0; tcp dport 21 ct helper set "ftp21"; }
}`)
			d := start(t, ns, t.Name(), settings, "extra_keys = true")
			var control net.Addr
			ns.Do(t, func() { control = passiveFTP(t) })
			ns.Run(t, "conntrack -F")
			ends, begins := map[string]map[string]string{}, map[string]map[string]string{}
			d.Eventually("both ends", func() bool {
				for _, line := range stacktest.Recorded(t.Name()) {
					m := fields(line)
					switch m["ct.event"] {
					case "1":
						begins[m["orig.l4.dport"]] = m
					case "4":
						ends[m["orig.l4.dport"]] = m
					}
				}
				return len(ends) == 2
			})
			if m := ends["21"]; settings == "" && m["ct.helper"] != "ftp" || m["ct.master.saddr"] != "" {
				t.Errorf("the control connection is %v", m)
			}
			delete(ends, "21")
			delete(begins, "21")
			told := ends // what names the master
			if settings != "" {
				told = begins
			}
			for _, m := range told {
				_, port, _ := net.SplitHostPort(control.String())
				if m["ct.master.saddr"] != "127.0.0.1" || m["ct.master.daddr"] != "127.0.0.1" ||
					m["ct.master.protocol"] != "6" ||
					m["ct.master.sport"] != port ||
					m["ct.master.dport"] != "21" {
					t.Errorf("the data connection of %s is %v", port, m)
				}
			}
			if len(told) != 1 {
				t.Errorf("data connections %v", told)
			}
		})
	}
}

// passiveFTP has a server announce a port and a client connect to it. It returns the client's side
// of the control connection.
func passiveFTP(t testing.TB) net.Addr {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp4", "127.0.0.1:21")
	must(err)
	defer l.Close()
	data, err := net.Listen("tcp4", "127.0.0.1:0")
	must(err)
	defer data.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	must(err)
	defer client.Close()
	server, err := l.Accept()
	must(err)
	defer server.Close()
	read := bufio.NewReader(client)
	answer := func(line string) {
		fmt.Fprintf(server, "%s\r\n", line)
		_, err := read.ReadString('\n')
		must(err)
	}
	answer("220 Ready") // the kernel reads lines that follow one
	fmt.Fprintf(client, "PASV\r\n")
	_, err = bufio.NewReader(server).ReadString('\n')
	must(err)
	port := data.Addr().(*net.TCPAddr).Port
	answer(fmt.Sprintf("227 Entering Passive Mode (127,0,0,1,%d,%d).", port>>8, port&0xff))
	c, err := net.Dial("tcp4", data.Addr().String())
	must(err)
	c.Close()
	return client.LocalAddr()
}
