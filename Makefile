# make          build bin/ulogd
# make install  into PREFIX (/usr/local) below DESTDIR
# make test     vet for five kinds of machine, staticcheck, gofumpt, all tests, the engine under the race detector, what reads the
#               kernel and what encodes once more with 32 bits: at most 20 minutes on two cores
# make test-all all of that and what takes long: test-peers, test-stores, test-small, test-packages, test-arch, race, storm, soak;
#               before work is called done
# make packages into dist: a .deb and an .rpm for amd64, arm64 and armhf, tarballs for other machines
# make small    the tarball for routers with mipsle; fails when it has become too large
# make soak     an hour (SOAK) of mixed traffic, in which the daemon's memory must be flat
# make bench    benchmarks that have a figure to meet; fails when one is missed
# make fuzz     every fuzz target for FUZZTIME
#
# Tests of the real kernel need root. On Debian, `make test` as root installs the programs that outputs are
# checked with (.ci/peers) and lets no test skip for want of them.

# Packages that run under the race detector in `make test`; `make race` takes all. It slows them tenfold, so storms are left out (-short).
RACE = ./engine/... ./stacks ./plugins/filter/flow ./plugins/output/json

# Machines that the daemon is built and vetted for, and those that differ from one of them in nothing that a compiler sees.
ARCHES = 386 arm mips arm64 s390x
ALIKE  = mipsle riscv64
# That of which the full build is vetted, with words of 32 bits. The libraries of stores take longer to compile than all
# the rest; for the other machines it is the build without them.
FULL = arm
VET  = bin/vet
# What reads the kernel and what encodes: tested once more with 32 bits.
WORD = ./engine/... ./conf/... ./plugins/input/netlink/... ./plugins/input/nfct/... ./plugins/input/nflog ./plugins/filter/flow \
	./plugins/output/export/... ./plugins/output/ipfix ./plugins/output/netflow5 ./plugins/output/netflow9
# Encoders and decoders: tested in the other byte order.
ORDER = ./engine/... ./conf/... ./plugins/input/nfct/ctnetlink ./plugins/filter/base ./plugins/filter/flow ./plugins/output/export/... ./plugins/output/ipfix \
	./plugins/output/netflow5 ./plugins/output/netflow9 ./plugins/output/json ./test/decoders

FUZZTIME = 10s
SOAK     = 1h

export PATH := $(PATH):/usr/sbin:/sbin
ROOT   := $(filter 0,$(shell id -u))
DEBIAN := $(wildcard /etc/debian_version)

# Where the programs can be installed, a kernel test that would skip fails.
ifneq ($(and $(ROOT),$(DEBIAN)),)
export ULOGD_KERNEL_TESTS ?= require
endif

# Test binaries compete for two cores, and their storms for memory: two packages at a time. Tests that say t.Parallel wait,
# with a namespace of their own each. go vet is lint's, once.
GOTEST = go test -vet=off -p 2 -parallel 6 -timeout 15m
# What takes longest begins first: at the end it would run alone. The page's measures processor time, and waits until lint is done.
FIRST = ./test/e2e ./cmd ./plugins/input/nfct ./plugins/input/pcap ./plugins/output/ipfix ./test/page

.PHONY: build install test tests test-all test-peers test-page test-stores test-small test-arch test-word vet-arch peers lint race soak bench fuzz bench-nfct bench-nflog bench-pcap bench-stores bench-day bench-live storm packages small test-packages

build:
	go build -o bin/ulogd ./cmd/ulogd

PREFIX  = /usr/local
SYSTEMD = $(if $(filter /usr,$(PREFIX)),/usr/lib,/etc)
SHARE   = $(DESTDIR)$(PREFIX)/share

# The unit names the program where it is; what systemd reads stands where it looks, whatever the prefix.
install: build
	install -D -m 755 bin/ulogd $(DESTDIR)$(PREFIX)/sbin/ulogd
	install -D -m 755 packaging/setup $(DESTDIR)$(PREFIX)/lib/ulogd/setup
	install -D -m 644 docs/man/ulogd.8 $(SHARE)/man/man8/ulogd.8
	install -D -m 644 docs/man/ulogd.conf.5 $(SHARE)/man/man5/ulogd.conf.5
	install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	bin/ulogd completion bash >$(SHARE)/bash-completion/completions/ulogd
	bin/ulogd completion zsh >$(SHARE)/zsh/site-functions/_ulogd
	bin/ulogd completion fish >$(SHARE)/fish/vendor_completions.d/ulogd.fish
	install -D -m 644 ulogd.toml.example $(SHARE)/doc/ulogd/examples/ulogd.toml
	install -D -m 644 -t $(SHARE)/doc/ulogd/examples/ulogd.service.d packaging/ulogd.service.d/*.conf
	install -d $(DESTDIR)/etc/ulogd $(DESTDIR)$(SYSTEMD)/systemd/system
	sed 's|/usr/sbin/ulogd|$(PREFIX)/sbin/ulogd|' packaging/ulogd.service >$(DESTDIR)$(SYSTEMD)/systemd/system/ulogd.service
	install -D -m 644 packaging/ulogd.logrotate $(DESTDIR)/etc/logrotate.d/ulogd
	install -D -m 644 packaging/ulogd.tmpfiles $(DESTDIR)$(SYSTEMD)/tmpfiles.d/ulogd.conf
	install -D -m 644 packaging/ulogd.sysusers $(DESTDIR)$(SYSTEMD)/sysusers.d/ulogd.conf

packages:
	packaging/release

small:
	MACHINES=mipsle packaging/release

# Programs that tests build carry no version, so that no state of the work tree can stop them.
test tests test-peers test-page test-stores test-small test-packages test-arch vet-arch lint race soak: export GOFLAGS += -buildvcs=false
test tests: export ULOGD_PEERS = 1
test tests: export ULOGD_PAGE = 1
# Tests wait for the most part. What only computes runs beside them, and gives way to them.
test: peers build
	@nice -n 19 $(MAKE) --no-print-directory lint vet-arch & \
	$(MAKE) --no-print-directory tests; tests=$$?; \
	wait $$! || { echo "lint or vet-arch failed: see above"; exit 1; }; exit $$tests

tests:
	$(GOTEST) $(FIRST) ./...
	CGO_ENABLED=1 $(GOTEST) -race -short $(RACE)
	$(MAKE) --no-print-directory test-word

# One after the other: storms and soak want the machine for themselves.
test-all:
	for target in test test-peers test-stores test-small test-packages test-arch race storm soak; do $(MAKE) --no-print-directory $$target || exit 1; done

# Every program that is replaced, or that receives or reads what is exported, anew: nothing comes from Go's cache of results.
test-peers: peers
	ULOGD_PEERS=1 $(GOTEST) -count 1 -timeout 40m ./test/decoders ./test/difftest ./test/e2e

# The page in a real browser, in front of a NAT gateway, as in make test. ULOGD_PICTURES=DIR keeps pictures, of which docs/images has two;
# ULOGD_AXE=FILE has axe-core (axe.min.js of npm's package) look at every view, too.
test-page: peers
	ULOGD_PAGE=1 ULOGD_PICTURES=$(abspath $(ULOGD_PICTURES)) ULOGD_AXE=$(abspath $(ULOGD_AXE)) $(GOTEST) -count 1 -v ./test/page

# Databases that are killed without mercy, again and again, while rows come: every row is counted.
test-stores: peers
	ULOGD_STORES=1 $(GOTEST) -count 1 -v -run Killed ./plugins/output/pgsql ./plugins/output/mysql ./plugins/output/clickhouse

# The packages installed over ulogd2 and without it, upgraded, removed, purged. DEBIAN_ROOT is where a Debian is kept.
DEBIAN_ROOT = /var/tmp/ulogd-debian
test-packages: peers
	.ci/packages $(DEBIAN_ROOT)
	ULOGD_PACKAGES=$(CURDIR)/dist ULOGD_DEBIAN=$(DEBIAN_ROOT) $(GOTEST) -tags packages -count 1 -v ./test/packages

# The build for small machines as this machine runs it: what it has, its plugins and the command line with them.
test-small: peers
	$(GOTEST) -tags small -short $$(.ci/small)

test-word: peers
	.ci/as 386 $(WORD)

# The other machines; everything with 32 bits, and the other byte order with words of both sizes.
test-arch: peers
	$(MAKE) --no-print-directory vet-arch VET='go vet' ARCHES='$(ARCHES) $(ALIKE)' FULL='$(FULL) s390x'
	.ci/as 386 ./...
	.ci/as s390x $(ORDER)
	.ci/as mips $(ORDER)

# What a compiler refuses for a machine shows when types are checked for it. test/vet does that, and what go vet does, from
# source: compiling all that is imported takes ten times as long a machine, and is for test-arch.
vet-arch:
	go build -o bin/vet ./test/vet
	@for arch in $(ARCHES); do \
		case " $(FULL) " in *" $$arch "*) tags= packages=./... ;; *) tags=small packages=$$(.ci/small) ;; esac; \
		echo "vet for $$arch $$tags"; GOARCH=$$arch $(VET) -tags "$$tags" $$packages || exit 1; \
	done

peers:
ifeq ($(ROOT),)
	@echo "not root: tests of the real kernel are skipped"
else ifneq ($(DEBIAN),)
	.ci/peers
else
	@echo "not Debian: tests whose programs are missing are skipped"
endif

lint:
	go vet ./...
	go vet -tags packages ./test/packages
	go tool staticcheck ./...
	@unformatted=$$(go tool gofumpt -l .) && test -z "$$unformatted" || \
		{ echo "not in gofumpt's format; run: go tool gofumpt -w" $$unformatted; exit 1; }

race:
	CGO_ENABLED=1 go test -p 2 -timeout 60m -race -short ./...

soak: peers
	ULOGD_SOAK=$(SOAK) go test -count 1 -run 'TestSoak$$' -v -timeout 24h ./test/e2e

# Fails when a figure is missed. The comparisons with other programs (bench-...) take minutes each and install what they compare with.
bench:
	go run ./test/bench/figures

# go test fuzzes one target of one package at a time. What it finds it would make smaller for a minute each time: three tries are enough.
fuzz:
	@go list ./... | while read -r package; do \
		go test -list '^Fuzz' "$$package" | grep '^Fuzz' | while read -r target; do \
			echo "$$package $$target"; \
			go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=3x "$$package" </dev/null || exit 1; \
		done || exit 1; \
	done

# What a flow costs from the kernel's event to the collector, and a table of a million connections, beside ulogd2.
bench-nfct: peers
	go test -run '^$$' -bench NFCT -benchtime 1x -timeout 30m ./test/bench/nfct

# What a logged packet costs as a line of a file, beside ulogd2.
bench-nflog: peers
	go run ./test/bench/nflog

# What a captured packet costs from the file to NetFlow v5 datagrams, beside softflowd, nfpcapd and pmacctd.
bench-pcap: peers
	go run ./test/bench/pcap

# How fast rows of 20 columns get into servers and files, beside what the library alone does: minutes, and a machine that does nothing else.
bench-stores: peers
	go run ./test/bench/stores $(STORES)

# A gateway's day, ten million flows, into Parquet, ClickHouse and PostgreSQL, and the ten questions of docs/queries.md: minutes, and 4 GB
# of disk. DAY=-write writes the table there anew.
bench-day: peers
	go run ./test/bench/day $(DAY)

# What is lost, what it costs and how long it takes at rising rates, beside softflowd, pmacctd and ulogd2: a quarter of an hour, and a
# machine that does nothing else. LIVE=-write writes docs/performance.md and its plots anew. What draws them is a module of its own, in
# test/bench/live/plot, so that go.mod needs no library for it: it knows nothing of ulogd, and gets figures as JSON.
bench-live: peers
	go run ./test/bench/live $(LIVE)

# Storms at their full size, a million connections, two million logged packets, a collector away for five minutes: minutes, and a machine that does nothing else.
storm: peers
	ULOGD_STORMS=1 go test -p 1 -run 'Reliable|Overrun|Storm|CollectorKilled' -v -timeout 30m ./plugins/input/nfct ./plugins/output/ipfix ./test/e2e
