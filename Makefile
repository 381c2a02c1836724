# make          build bin/ulogd
# make test     everything: vet, staticcheck, gofumpt, all tests, and again under the race detector
# make bench    benchmarks that have a figure to meet; fails when one is missed
# make fuzz     every fuzz target for FUZZTIME
#
# Tests of the real kernel need root. On Debian, `make test` as root installs the programs that outputs are
# checked with (.ci/peers) and lets no test skip for want of them.

# Packages that run under the race detector. It slows them tenfold, so storms are left out (-short).
RACE     = ./conf/... ./engine/... ./stacks ./plugins/filter/flow ./plugins/input/nflog ./plugins/input/unixsock ./plugins/output/json
FUZZTIME = 10s

export PATH := $(PATH):/usr/sbin:/sbin
ROOT   := $(filter 0,$(shell id -u))
DEBIAN := $(wildcard /etc/debian_version)

# Where the programs can be installed, a kernel test that would skip fails.
ifneq ($(and $(ROOT),$(DEBIAN)),)
export ULOGD_KERNEL_TESTS ?= require
endif

# Test binaries compete for two cores, and their storms for memory: two packages at a time.
GOTEST = go test -p 2 -timeout 15m

.PHONY: build test peers lint race bench fuzz bench-nfct bench-nflog bench-pcap storm

build:
	go build -o bin/ulogd ./cmd/ulogd

# Programs that tests build carry no version, so that no state of the work tree can stop them.
test lint race: export GOFLAGS += -buildvcs=false
test: peers lint
	$(GOTEST) ./...
	$(MAKE) --no-print-directory race

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
	go tool staticcheck ./...
	@unformatted=$$(go tool gofumpt -l .) && test -z "$$unformatted" || \
		{ echo "not in gofumpt's format; run: go tool gofumpt -w" $$unformatted; exit 1; }

race:
	CGO_ENABLED=1 $(GOTEST) -race -short $(RACE)

# Fails when a figure is missed. The comparisons with other programs (bench-...) take minutes each and install what they compare with.
bench:
	go run ./test/bench/figures

# go test fuzzes one target of one package at a time.
fuzz:
	@go list ./... | while read -r package; do \
		go test -list '^Fuzz' "$$package" | grep '^Fuzz' | while read -r target; do \
			echo "$$package $$target"; \
			go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "$$package" </dev/null || exit 1; \
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

# Storms at their full size, a million connections, two million logged packets, a collector away for five minutes: minutes, and a machine that does nothing else.
storm: peers
	ULOGD_STORMS=1 go test -p 1 -run 'Reliable|Overrun|Storm|CollectorKilled' -v -timeout 30m ./plugins/input/nfct ./plugins/output/ipfix ./test/e2e
