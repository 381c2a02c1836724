// ulogd2 beside the daemon: both read the same packets from a Unix socket, which waits for who is slow, and write a row
// for each into the same table. What counts is the CPU time of the daemon.

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/bench/measure"
	"ulogd/test/nstest"
)

// mostOfUlogd2 is the part of ulogd2's CPU time that a row may take.
const mostOfUlogd2 = 0.1

// packetColumns are the 20 of a row.
var packetColumns = []struct{ name, typ string }{
	{"raw_pktlen", "bigint"},
	{"oob_prefix", "varchar(40)"},
	{"oob_in", "varchar(40)"},
	{"oob_out", "varchar(40)"},
	{"oob_family", "bigint"},
	{"oob_time_sec", "bigint"},
	{"ip_saddr_str", "varchar(40)"},
	{"ip_daddr_str", "varchar(40)"},
	{"ip_protocol", "bigint"},
	{"ip_tos", "bigint"},
	{"ip_ttl", "bigint"},
	{"ip_totlen", "bigint"},
	{"ip_ihl", "bigint"},
	{"ip_csum", "bigint"},
	{"ip_id", "bigint"},
	{"tcp_sport", "bigint"},
	{"tcp_dport", "bigint"},
	{"tcp_seq", "bigint"},
	{"tcp_ackseq", "bigint"},
	{"tcp_window", "bigint"},
}

// An old is how ulogd2 reaches a store that it has, too.
type old struct {
	id     string // definition of a column that the database fills
	config string // of both daemons: the section [out], but for table
	socket string // of MariaDB: ulogd2's library finds it by the environment, the daemon by its option host
}

// beside measures what a row costs both daemons, in microseconds of CPU time.
func (b *bench) beside(t testing.TB, g target, s site) {
	theirs, err := measure.FindUlogd2()
	if err != nil {
		t.Fatal(err)
	}
	rows := [2]int{max(int(100_000*b.factor), 1000), max(int(1_000_000*b.factor), 1000)} // ulogd2 is slow
	var best [2]float64
	for range b.rounds {
		for i, words := range [2][]string{{theirs.Program}, {b.ulogd}} {
			columns := s.old.id
			for _, c := range packetColumns {
				columns += ", " + c.name + " " + c.typ
			}
			s.query("DROP TABLE IF EXISTS packets; CREATE TABLE packets (" + strings.TrimPrefix(columns, ", ") + ")")
			socket := filepath.Join(b.dir, "socket")
			text := fmt.Sprintf("[global]\nstack=in:UNIXSOCK,base:BASE,text:IP2STR,out:%s\n[in]\nsocket_path=%q\n[out]\n%stable=\"packets\"\n",
				s.output, socket, s.old.config)
			if i == 0 {
				text = theirs.Load("inppkt_UNIXSOCK", "raw2packet_BASE", "filter_IP2STR", "output_"+s.output) +
					strings.TrimPrefix(text, "[global]\n")
			} else {
				// The rest waits in the socket, as with ulogd2.
				text += "when_full=\"block\"\nqueue=4096\nbuffer=\"4MiB\"\n"
				if s.old.socket != "" {
					text = strings.Replace(text, `"localhost"`, strconv.Quote(s.old.socket), 1)
				}
			}
			cpu := b.packets(t, words, text, s, socket, rows[i]).Seconds() * 1e6 / float64(rows[i])
			if best[i] == 0 || cpu < best[i] {
				best[i] = cpu
			}
		}
	}
	part := best[1] / best[0]
	fmt.Printf("%-18s a logged packet takes %.2f us of CPU, ulogd2 %.2f: %.3f of that\n", g.name, best[1], best[0], part)
	b.check(part <= mostOfUlogd2, "%s: %.3f of ulogd2's CPU time, asked are %.1f", g.name, part, mostOfUlogd2)
}

// packets has a daemon write n packets, and returns its CPU time.
func (b *bench) packets(t testing.TB, words []string, config string, s site, socket string, n int) time.Duration {
	path := filepath.Join(b.dir, "ulogd.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Remove(socket)
	daemon := exec.Command(words[0], append(words[1:], "-c", path)...)
	daemon.Env = append(os.Environ(), "MYSQL_UNIX_PORT="+s.old.socket)
	var log strings.Builder
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		daemon.Process.Signal(syscall.SIGTERM)
		daemon.Wait()
	}()
	var c net.Conn
	nstest.Eventually(t, time.Minute, func() (err error) {
		if c, err = net.Dial("unix", socket); err != nil {
			return fmt.Errorf("%w: %s", err, log.String())
		}
		return nil
	})
	defer c.Close()
	measure.WaitIdle(daemon.Process.Pid)
	before := measure.CPUTime(daemon.Process.Pid)
	var many []byte
	for i := range uint32(n) {
		if many = append(many, packet(i)...); len(many) < 16<<10 && i+1 < uint32(n) {
			continue
		}
		if _, err := c.Write(many); err != nil {
			t.Fatalf("%v: %s", err, log.String())
		}
		many = many[:0]
	}
	measure.WaitIdle(daemon.Process.Pid) // who counts is in its way
	nstest.Eventually(t, 5*time.Minute, func() error {
		if got := number(s.query("SELECT count(*) FROM packets")); got != n {
			return fmt.Errorf("%d rows are there, want %d: %s", got, n, log.String())
		}
		return nil
	})
	measure.WaitIdle(daemon.Process.Pid)
	return measure.CPUTime(daemon.Process.Pid) - before
}

// packet is a message to UNIXSOCK with a packet of TCP and four options.
func packet(i uint32) []byte {
	be := binary.BigEndian
	b := make([]byte, 10, 256)
	be.PutUint32(b, 0x41c90fd4)
	binary.NativeEndian.PutUint32(b[6:], 1)
	b = append(b, 0, 40, 0x45, 0, 0, 40)
	b = be.AppendUint16(b, uint16(i))
	b = append(b, 0x40, 0, 64, 6, 0x12, 0x34)
	b = be.AppendUint32(b, 10<<24|1<<8+i%1000)
	b = be.AppendUint32(b, 198<<24|51<<16|100<<8|i%128)
	b = be.AppendUint16(be.AppendUint16(b, uint16(32768+i%28232)), 443)
	b = be.AppendUint32(be.AppendUint32(b, 2654435761*i), ^i)
	b = append(b, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0) // these 40 octets end where options may begin
	for id, text := range []string{1: "accepted: ", 2: "eth0", 3: "eth1"} {
		if id > 0 {
			b = append(be.AppendUint32(be.AppendUint32(b, uint32(id)), uint32(len(text)+1)), text...)
			b = append(b, make([]byte, 8-len(text)%8)...)
		}
	}
	b = be.AppendUint32(be.AppendUint32(b, 4), 4)
	b = append(binary.NativeEndian.AppendUint32(b, 1767225600+i/1000), 0, 0, 0, 0)
	be.PutUint16(b[4:], uint16(len(b)-4))
	return b
}
