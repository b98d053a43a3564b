# What there is to do here. `make` alone prints it.

CARGO ?= cargo
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test test-servers build fmt lint fmt-check clippy deny ci schemas metrics-docs corpus bench bench-environments crash clean cargo-is-there

# rustup puts cargo here; a shell that was open before does not know it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

# The version that the checks were last seen to pass with.
CARGO_DENY := 0.20.2

ifdef CI
export CARGO_TERM_COLOR ?= never
export CARGO_TERM_PROGRESS_WHEN ?= never
export CARGO_INCREMENTAL ?= 0
export CARGO_NET_RETRY ?= 5
endif

help: ## print this
	@echo 'usage: make TARGET'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: cargo-is-there ## watch the fleet heal failing tests of real packages, and refuse to hide a defect
	@deploy/demo.sh

test: cargo-is-there ## every test, against real servers; installs what is missing first
	@deploy/setup.sh test
	$(CARGO) test --workspace --locked --no-fail-fast

test-servers: cargo-is-there ## the runtime's tests against Redis 8 and Valkey 8, fetched and not installed (Debian)
	@deploy/servers.sh

build: cargo-is-there ## the release binary, target/release/maestro
	$(CARGO) build --locked --release --package maestro

fmt: cargo-is-there ## format the code
	$(CARGO) fmt --all

lint: fmt-check clippy deny ## formatting, clippy, scripts, dependencies

fmt-check: cargo-is-there
	$(CARGO) fmt --all --check
	@for script in deploy/*.sh deploy/producers/*.sh .ci/run; do \
		[ ! -f "$$script" ] || bash -n "$$script" || exit 1; done

clippy: cargo-is-there
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# Built from source it takes minutes, so nobody gets it without asking, save CI.
deny: cargo-is-there
	@command -v cargo-deny >/dev/null || { \
		if [ -n "$(CI)" ]; then $(CARGO) install cargo-deny --version $(CARGO_DENY) --locked --quiet; \
		else echo 'cargo-deny is not installed: cargo install cargo-deny --locked' >&2; exit 69; fi; }
	$(CARGO) deny --locked check bans licenses sources

# Tests come last: what a runner prints at its end is the last thing printed.
ci: ## what a change must pass: lint, then test
	@deploy/setup.sh test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test

schemas: cargo-is-there ## write the JSON Schemas and the AsyncAPI document again, from the types
	$(CARGO) run --locked --quiet --package maestro-protocol --example generate

metrics-docs: cargo-is-there ## write docs/metrics.md and the dashboards again, from the table of metrics
	$(CARGO) run --locked --quiet --package maestro-telemetry --example document
	python3 deploy/grafana/generate.py

corpus: cargo-is-there ## heal every case of the corpus of real failing tests, and count
	@MAESTRO_TEST_CLUSTER=off deploy/setup.sh test
	$(CARGO) run --locked --quiet --package maestro-corpus -- --work .maestro/corpus --json .maestro/corpus.json

bench: cargo-is-there ## the runtime beside bare loops and its peers; writes bench/results
	@MAESTRO_TEST_CLUSTER=off deploy/setup.sh test
	$(CARGO) build --locked --quiet --release --manifest-path bench/peers/Cargo.toml --target-dir target/peers
	$(CARGO) run --locked --quiet --release --package maestro-bench -- --write bench/results

bench-environments: cargo-is-there ## environments beside kubectl and the API server alone; writes bench/results
	@deploy/setup.sh test
	$(CARGO) build --locked --quiet --release --package maestro --package maestro-bench-environments
	target/release/environments --write bench/results

# Every scenario takes DURATION; the same SEED repeats the same faults.
crash: DURATION ?= 10m
crash: cargo-is-there ## kill, freeze and cut a fleet and its Redis, and count; DURATION=10m SEED=1
	@MAESTRO_TEST_CLUSTER=off deploy/setup.sh test
	$(CARGO) run --locked --quiet --release --package maestro-crash -- --duration $(DURATION) $(if $(SEED),--seed $(SEED))

.PHONY: pictures
pictures: cargo-is-there ## the picture of the live view, from a fleet that heals real failing tests
	@deploy/pictures.sh

clean: ## remove what was built, and what the demo left
	$(CARGO) clean
	rm -rf .maestro

cargo-is-there:
	@command -v $(CARGO) >/dev/null || { \
		echo 'Rust 1.95 or newer is needed: https://www.rust-lang.org/tools/install' >&2; exit 69; }
