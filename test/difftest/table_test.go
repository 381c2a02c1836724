// These tests hold the table of docs/from-ulogd2.md: every row has a test, every difference a row.

package difftest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are the rows of docs/from-ulogd2.md that no packet or connection shows here: each with
// the folder and name of the test that does.
var elsewhere = map[string]string{
	"IFINDEX shows the name of the record before for an unknown index":                                  "plugins/filter/ifindex TestUnknownIndexes",
	"IFINDEX looks names up in its own namespace":                                                       "plugins/filter/ifindex TestLinksFollowTheKernel",
	"ARP of the output hook is read 14 octets off":                                                      "plugins/filter/base TestARP",
	"IP2BIN cuts addresses to 8 octets":                                                                 "plugins/filter/ip2bin TestLiterals",
	"IP2BIN and IP2HBIN drop records of families that are not IP":                                       "plugins/filter/ip2bin TestLiterals",
	"PCAP writes frames that are not IP into its file of IP packets":                                    "plugins/output/pcap TestNotIP",
	"HWHDR drops records whose link header is longer than 42 octets":                                    "plugins/filter/hwhdr TestHeaders",
	"`INCOMPLETE` has no blank after it":                                                                "test/difftest TestPackets",
	"Bridge ports, VLAN and connection of a logged packet are not exported":                             "plugins/input/nflog TestEveryAttributeBecomesItsKey",
	"PWSNIFF never passes a record on":                                                                  "test/e2e TestRefusedPlugins",
	"ULOG cannot work on Linux since 3.17":                                                              "test/e2e TestRefusedPlugins",
	"Packets queued in the kernel are lost at SIGTERM":                                                  "plugins/input/nflog TestStopTakesWhatTheKernelHolds",
	"A stack that cannot start leaves its input bound":                                                  "test/e2e TestOutputThatCannotBeOpened",
	"SIGTERM with an input that stacks share crashes":                                                   "test/difftest TestPackets",
	"A read buffer smaller than a batch loses everything without a word":                                "plugins/input/nflog TestSmallBufsizeHasNoEffect",
	"Losses of NFLOG are reported once and not counted":                                                 "plugins/input/nflog TestLossesAreCountedExactly",
	"A receive buffer size without its maximum is ignored":                                              "plugins/input/nflog TestLossesAreCountedExactly",
	"A second reader of a group fails without saying why":                                               "plugins/input/nflog TestSecondReaderIsToldWhoTheFirstIs",
	"UNIXSOCK trusts the lengths in a message":                                                          "plugins/input/unixsock TestWrongMessagesEndTheirClient",
	"UNIXSOCK feeds its first stack only":                                                               "stacks TestOneInputFeedsSeveralStacksAndOneOutputIsFedBySeveral",
	"A socket file left over keeps UNIXSOCK from starting":                                              "plugins/input/unixsock TestSocketFile",
	"A broken client of UNIXSOCK ends the daemon":                                                       "plugins/input/unixsock TestWrongMessagesEndTheirClient",
	"`-d` exits 0 before the configuration is read":                                                     "cmd TestBackgroundThatDoesNotStart",
	"`-u` gives up all capabilities; polling, counters and recovery then yield nothing, silently":       "cmd TestUserSwitch",
	"SIGHUP crashes when the log file cannot be opened anew":                                            "cmd TestLogFileThatCannotBeOpenedAgainStaysInUse",
	"NACCT crashes when its file cannot be opened anew":                                                 "plugins/output/sink/logfile TestReopenFailureKeepsTheFile",
	"Runs with SCHED_RR 99":                                                                             "test/e2e TestDebiansConfiguration",
	"Without `logfile` it logs to syslog, facility user":                                                "cmd TestSyslog",
	"Unknown options are ignored":                                                                       "cmd TestAllErrorsOfAnULogdConfAtOnce",
	"`-i` of a plugin that is not there says nothing and exits 0":                                       "cmd TestManuals",
	"A word such as `stop` on the command line starts the daemon":                                       "cmd TestAWordThatIsNoCommandStartsNoDaemon",
	"Nobody can ask the daemon what it does":                                                            "cmd TestDefaultControlSocket",
	"`-l` with anything but a number is not seen":                                                       "cmd TestOptionErrors",
	"JSON, GPRINT, OPRINT, XML, NACCT, GRAPHITE: text from outside is written as it is":                 "plugins/output/graphite TestHostileNames",
	"GRAPHITE sends memory behind its buffer when names are long":                                       "plugins/output/graphite TestHostileNames",
	"PCAP writes a time zone, and an original length below the captured one":                            "plugins/output/pcap TestTimeZone",
	"XML drops packets above about 1.9 kB":                                                              "plugins/output/xml TestLongPacket",
	"JSON reads outside its keys where a stack has no time":                                             "plugins/output/json TestFlowsOfULOGD2",
	"JSON's time has no offset from UTC where that is zero":                                             "plugins/output/json TestPacketsOfULOGD2",
	"SYSLOG's LOG_KERN, the default, arrives as DAEMON":                                                 "test/difftest TestConnections",
	"Outputs that several stacks name open their file several times":                                    "stacks TestOneInputFeedsSeveralStacksAndOneOutputIsFedBySeveral",
	"NFACCT gives its time to one of the stacks that share it":                                          "plugins/input/nfacct TestEqualsULOGD2",
	"NFCT's filters do not hold for dumps, and one family's filter treats the other at random":          "plugins/input/nfct TestOlderConnections",
	"NFCT loses the start time when its table is full or off":                                           "plugins/input/nfct TestFullTableStillReports",
	"NFCT crashes with `hash_buckets` of 0":                                                             "plugins/input/nfct TestSettings",
	"NFCT cannot report UPDATE events":                                                                  "plugins/input/nfct TestEachEvent",
	"NFCT reports the beginning of one connection and the end of another in their order":                "plugins/input/nfct TestEventsInEveryOrder",
	"NFCT: SIGUSR2 with shared inputs, or without a table, crashes or loses the counts":                 "plugins/input/nfct TestCountersAreTakenOnce",
	"NFCT's polls give no time of the end":                                                              "plugins/input/nfct TestEqualsULOGD2",
	"NFCT takes the end of the kernel's entry for the end of the connection":                            "plugins/input/nfct TestFlowEndIsTheLastPacket",
	"NFCT: a connection may end before it begins where the clock was set back":                          "plugins/input/nfct TestNoRecordEndsBeforeItBegins",
	"NFCT: SIGUSR2's records have no end":                                                               "plugins/input/nfct TestCountersAreTakenOnce",
	"NFCT counts no losses after an overrun":                                                            "plugins/input/nfct TestOverrunsAreCountedExactly",
	"NFCT asks for each connection by itself after an overrun":                                          "plugins/input/nfct TestOverrunIsRecovered",
	"IPFIX numbers its messages with their own records included":                                        "test/e2e TestStormWithRoomLosesNothing",
	"IPFIX: 32-bit counters, both directions summed, seconds, no IPv6":                                  "plugins/output/ipfix TestULOGD2Layout",
	"IPFIX dies when the collector closes the connection":                                               "plugins/output/ipfix TestCollectorThatReadsAndDies",
	"IPFIX sends its whole queue again after an error, without a bound":                                 "plugins/output/ipfix TestResend",
	"IPFIX: a small `mtu` loops forever":                                                                "plugins/output/ipfix TestSettingsThatCannotBe",
	"IPFIX: the flush timer fires once, `send_template` is not checked":                                 "plugins/output/ipfix TestSettingsThatCannotBe",
	"`flow.end.usec` has the IPFIX element of seconds":                                                  "plugins/output/ipfix TestTimes",
	"SQLITE3 writes addresses and numbers of 2^31 and above as other numbers":                           "plugins/output/sqlite3 TestRows",
	"MYSQL and PGSQL write addresses as the numbers that they are in memory":                            "plugins/output/pgsql TestAddressesAsNumbers",
	"Databases: a row that is refused counts as a lost connection, and what comes meanwhile is dropped": "plugins/output/pgsql TestCopy",
	"Databases: a server, table or column that is not there ends the stack at the start":                "plugins/output/pgsql TestTableComesLater",
	"Databases: what waits is kept in memory, a transaction is made for each event":                     "plugins/output/store TestSpool",
	"Databases: `reconnect = 0` gives up at the first loss":                                             "plugins/output/pgsql TestLongTextAndNoReconnect",
	"MYSQL and PGSQL overflow a buffer where a table has few columns and a text is long":                "plugins/output/pgsql TestLongTextAndNoReconnect",
	"PGSQL logs the password when it cannot connect":                                                    "plugins/output/pgsql TestPasswordAndTLS",
	"`procedure = \"CALL x\"` calls nothing":                                                            "plugins/output/pgsql TestProcedures",
	"SQLITE3 loses rows while the file is locked":                                                       "plugins/output/sqlite3 TestLocked",
	"As root without `--uid`, SQLITE3 follows links in directories that others can write":               "cmd TestDatabaseOfRootAmongFilesOfOthers",
	"DBI is not there": "cmd TestNearNames",
	"A line of more than 253 characters, a missing last newline, a word that equals a section's name break the configuration": "conf TestUlogd2Cases",
	"An empty value becomes the option's name":                          "conf TestUlogd2Cases",
	"Numbers of 2^31 and above are refused":                             "conf TestUlogd2Cases",
	"`-l` and `loglevel` do not go together":                            "cmd TestLogLevels",
	"Errors of the configuration have no reason":                        "cmd TestAllErrorsOfAnULogdConfAtOnce",
	"The configuration can be neither checked nor read again":           "cmd TestExplanation",
	"Without `-c` it reads `/etc/ulogd.conf` alone":                     "cmd TestWhereTheConfigurationIs",
	"Whoever takes it over may run programs and open what its user may": "test/service TestIntruderInTheSandbox",
	"A blocked output stops all inputs":                                 "stacks TestQueueDropsAndCountsWhatDoesNotFit",
}

// TestTableOfDifferences wants in the table that people read every row that a scene or a test
// stands for, and no other.
func TestTableOfDifferences(t *testing.T) {
	text, err := os.ReadFile("../../docs/from-ulogd2.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| Defect | Here | ulogd2 2.0.8 | Switch |\n|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	read := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "|\n"), " | ")
		if len(cells) != 4 {
			t.Fatalf("a row of %d cells: %s", len(cells), line)
		}
		read[strings.TrimSpace(cells[0])] = true
	}
	want := map[string]bool{}
	for _, r := range slices.Concat(byCompat, never) {
		want[r.title] = true
	}
	for title, place := range elsewhere {
		want[title] = true
		if !exists(t, place) {
			t.Errorf("%s: there is no test %s", title, place)
		}
	}
	for title := range want {
		if !read[title] {
			t.Errorf("docs/from-ulogd2.md has no row %q", title)
		}
	}
	for title := range read {
		if !want[title] {
			t.Errorf("no test shows docs/from-ulogd2.md's row %q", title)
		}
	}
}

// exists reports whether a folder has a test of that name.
func exists(t *testing.T, place string) bool {
	t.Helper()
	folder, name, _ := strings.Cut(place, " ")
	files, err := filepath.Glob("../../" + folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func ` + name + `\(t \*testing\.T\)`)
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && declared.Match(text)
	})
}
