# Two commands do everything: `make run` shows the example, `make test` runs all tests.
# Both install what is missing (integration/install-deps.sh).

SHELL   := /bin/bash
GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
CONFIG  ?= examples/supervisor.conf
# Root for the sandboxes that boot a systemd.
ASROOT  := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: all build run test torture bench lint fuzz clean

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/msup ./cmd/msup

# The example on this machine's systemd; where none is running, on a real systemd under
# User-mode Linux, a kernel that runs as an ordinary program, so that the limits bite.
run: build
	@if [ -d /run/systemd/system ]; then \
		exec bin/msup up -c $(CONFIG); \
	else \
		integration/install-deps.sh && \
		CGO_ENABLED=0 $(GO) build -o bin/boot ./integration/boot && \
		echo "No systemd is running here: booting one under User-mode Linux. Ctrl-C ends it." && \
		exec $(ASROOT) bin/boot -kind uml -tty -- $(CURDIR)/bin/msup up -c $(CONFIG); \
	fi

# All four rings: pure, the loop with a scripted systemd, the wire with a fake one, and a
# real systemd in namespaces and under User-mode Linux. MSUP_REQUIRE makes a missing
# sandbox a failure instead of a skip; -p 1, because two sandboxes at once make each other late.
test:
	integration/install-deps.sh --tests
	$(GO) vet ./...
	CGO_ENABLED=1 MSUP_REQUIRE=1 $(GO) test -race -p 1 -timeout 14m ./...

# What is killed, restarted and lost while it runs, for a long time: a short run is part of the tests.
# TORTURE_SEED=N brings the decisions of an earlier run again.
TORTURE_FOR ?= 5m
torture:
	integration/install-deps.sh
	CGO_ENABLED=0 MSUP_REQUIRE=1 TORTURE_FOR=$(TORTURE_FOR) $(GO) test ./integration -count=1 -v -timeout 0 -run '^TestTorture$$'

# Figures, not tests: bring-up, restart latency, memory, status, log throughput; beside what
# systemd and cat do.
bench: build
	integration/install-deps.sh
	CGO_ENABLED=0 $(GO) run ./integration/bench

lint:
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

# Ten seconds for each fuzzer.
fuzz:
	@for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime 10s -fuzzminimizetime 1s $$p || exit 1; \
		done; \
	done

clean:
	rm -rf bin
