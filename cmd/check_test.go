package cmd_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seed is the first configuration that anybody ran.
const seed = `      # this will print all flows on screen
      loglevel=1
      # load NFCT and IPFIX plugins
      plugin="/lib/ulogd/ulogd_inpflow_NFCT.so"
      plugin="/lib/ulogd/ulogd_output_IPFIX.so"
      stack=ct1:NFCT,ipfix1:IPFIX
      [ct1]
      netlink_socket_buffer_size=217088
      netlink_socket_buffer_maxsize=1085440
      accept_proto_filter=tcp,sctp
      [ipfix1]
      oid=1
      host="127.0.0.1"
      #port=4739
      #send_template="once"
`

func TestAllErrorsOfAnULogdConfAtOnce(t *testing.T) {
	conf := file(t, "ulogd.conf", `[global]
stack=in:GEN,out:PRITN
stack=in:GEN
stack=a:GEN,b:BASE,c:NULL
stack=in:GEN,ok:NULL
logfil=stdout
[in]
mode=packages
cont=5
`)
	r := ulogd(t, "-t", "-c", conf).exits(1)
	for _, want := range []string{
		":2: stack: there is no output plugin PRITN; did you mean PRINT?",
		":3: stack: \"in:GEN\" needs an input and an output",
		":4: stack: b:BASE needs raw.pkt",
		":6: [global] logfil: unknown option; did you mean logfile?",
		":8: [in] mode: must be one of flows, packets, is \"packages\"",
		":9: [in] cont: unknown option; did you mean count?",
	} {
		if !strings.Contains(r.stderr, conf+want) {
			t.Errorf("no %q in\n%s", want, r.stderr)
		}
	}
	if n := strings.Count(r.stderr, "warning: "); n != 2 {
		t.Errorf("%d warnings; the two unknown options are warnings here:\n%s", n, r.stderr)
	}
}

func TestAllErrorsOfATOMLFileAtOnce(t *testing.T) {
	conf := file(t, "x.toml", `stack = ["in:GEN,out:PRITN", "in:GEN,ok:PRINT"]
logfil = "stdout"
[in]
mode = "packages"
count = "many"
cont = 5
[ok]
keys = ["orig.ip.sadr"]
`)
	r := ulogd(t, "-t", "-c", conf).exits(1)
	for _, want := range []string{
		":1: stack: there is no output plugin PRITN; did you mean PRINT?",
		":2: [global] logfil: unknown option; did you mean logfile?",
		":4: [in] mode: must be one of",
		":5: [in] count: must be a whole number, is a string",
		":6: [in] cont: unknown option; did you mean count?",
		"x.toml: 5 errors",
	} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in\n%s", want, r.stderr)
		}
	}
	if strings.Contains(r.stderr, "warning") {
		t.Errorf("an unknown option is an error in TOML:\n%s", r.stderr)
	}
}

func TestMissingKeyNamesItsGiver(t *testing.T) {
	conf := file(t, "x.conf", "stack=log1:NFLOG,print1:PRINTPKT,out:LOGEMU\n")
	ulogd(t, "-t", "-c", conf).exits(1).says(":1: stack: print1:PRINTPKT needs ip", "put one that gives it in front: ",
		"IP2STR",
		"oob.out are missing; put IFINDEX before it\n") // which is another key's remedy
	conf = file(t, "x.toml", `stack = "ct1:NFCT,base1:BASE,out:PRINT"`)
	ulogd(t, "-t", "-c", conf).exits(1).says(":1: stack: base1:BASE needs raw.pkt", "NFLOG")
}

func TestMissingSection(t *testing.T) {
	ulogd(t, "-t", "-c", file(t, "x.conf", "stack=ct1:NFCT,ipfix1:IPFIX\n")).exits(1).says(
		":1: [ipfix1] host: must name a collector", "the section [ipfix1] is missing")
}

func TestExplanation(t *testing.T) {
	r := ulogd(t, "-tvc", file(t, "ulogd.conf", seed)).exits(0)
	for _, want := range []string{"stack ct1:NFCT,ipfix1:IPFIX\n", "orig.ip.saddr", "ct1:NFCT -> ipfix1:IPFIX", "not computed: "} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	if r.stderr != "" {
		t.Errorf("a good configuration is complained of:\n%s", r.stderr)
	}
}

// What is converted behaves the same: the same stacks, the same keys from the same plugins to the same others.
func TestConvertedConfigurationIsTheSame(t *testing.T) {
	for name, text := range map[string]string{
		"seed": seed,
		"odd":  "stack = \"g:GEN,p:PRINT\"\nloglevel = 0x3\n[g]\n  count = 012 # octal\nipv6 \"0\"\n[p]\nkeys=orig.ip.saddr,orig.ip.daddr\n",
		"many": "[global]\nstack=g:GEN,p:PRINT\nstack=g:GEN,n:NULL\n[p]\nextra_keys=1\nfile=\"/tmp/a b\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			old := file(t, "ulogd.conf", text)
			toml := ulogd(t, "convert", old).exits(0)
			converted := file(t, "ulogd.toml", toml.stdout)
			a, b := ulogd(t, "-tv", "-c", old).exits(0), ulogd(t, "-tv", "-c", converted).exits(0)
			if strings.ReplaceAll(a.stdout, old, "X") != strings.ReplaceAll(b.stdout, converted, "X") {
				t.Errorf("%s\nexplains as\n%s\nits conversion\n%s\nas\n%s", text, a.stdout, toml.stdout, b.stdout)
			}
		})
	}
	// And it is run the same.
	old := file(t, "ulogd.conf", `stack=g:GEN,p:PRINT
[g]
count="20"
seed=0x7
[p]
keys=orig.ip.saddr
`)
	converted := file(t, "ulogd.toml", ulogd(t, "convert", old).exits(0).stdout)
	a, b := ulogd(t, "-c", old).exits(0).stdout, ulogd(t, "-c", converted).exits(0).stdout
	if a != b || strings.Count(a, "\n") != 20 {
		t.Errorf("the old prints\n%s\nthe new\n%s", a, b)
	}
}

func TestStacksThatDoNotWorkAreLeftOutOfAnULogdConf(t *testing.T) {
	conf := file(t, "ulogd.conf", `stack=in:GEN,out:PRITN
stack=in:GEN,out:PRINT
[in]
count=5
`)
	r := ulogd(t, "-c", conf).exits(0).says(":1: stack: there is no output plugin PRITN")
	if strings.Count(r.stdout, "orig.ip.saddr=") != 5 {
		t.Errorf("the stack that works printed\n%s", r.stdout)
	}
	toml := file(t, "x.toml", `stack = ["in:GEN,out:PRITN", "in:GEN,out:PRINT"]
[in]
count=5
`)
	if r := ulogd(t, "-c", toml).exits(1).says("1 error; nothing was started"); r.stdout != "" {
		t.Errorf("a TOML file with an error ran:\n%s", r.stdout)
	}
}

func TestGarbageAsConfiguration(t *testing.T) {
	noise, x := make([]byte, 1<<20), uint32(1)
	for i := range noise {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	for name, text := range map[string][]byte{
		"noise":   noise,
		"lines":   bytes.Repeat([]byte("a=b=c \" [x\n"), 1<<20/11),
		"stacks":  bytes.Repeat([]byte("stack=a:B,c:D\n"), 1<<20/14),
		"section": bytes.Repeat([]byte("["), 1<<20),
		"zeros":   make([]byte, 1<<20),
		"empty":   nil,
	} {
		for _, ext := range []string{".conf", ".toml"} {
			path := filepath.Join(t.TempDir(), name+ext)
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, flag := range []string{"-tc", "-tvc", "-c"} {
				r := ulogd(t, flag, path).exits(1).says(path)
				if n := len(r.stdout + r.stderr); n > 64<<10 {
					t.Errorf("%s %s: %d octets of messages", flag, name+ext, n)
				}
				if strings.Contains(r.stderr, "goroutine ") {
					t.Errorf("%s %s: a crash:\n%.2000s", flag, name+ext, r.stderr)
				}
			}
			if r := ulogd(t, "convert", path); strings.Contains(r.stderr, "goroutine ") {
				t.Errorf("convert %s: a crash:\n%.2000s", name+ext, r.stderr)
			}
		}
	}
}
