# The two commands for a newcomer are `make demo` and `make test`; the one for every day is `make quick`.
# Settings: CARGO, ARGS (added to the command line of nextest, of the bench or of the comparison), SECONDS_EACH (for
# `fuzz`).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules
CARGO ?= cargo
ARGS ?=
SECONDS_EACH ?= 8
# A package named in ARGS stands in place of all of them: beside `--workspace` it would not narrow anything.
PACKAGES = $(if $(filter -p% --package%,$(ARGS)),,--workspace)

.PHONY: help
help: ## What can be made
	@printf 'Cofferdam\n\n'
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nARGS go on to the test runner or the bench:\n'
	@printf '  make quick ARGS="-p cofferdam-policy"   make bench ARGS="--json FILE"\n'
	@printf '  make fuzz SECONDS_EACH=600 ARGS=terminal\n'

.PHONY: demo
demo: ## A scripted agent in a cell, on a clone of this repository
	@scripts/prerequisites demo
	@echo 'building cofferdam in release mode (a few minutes the first time) …'
	@$(CARGO) build --release --locked --quiet -p cofferdam
	@scripts/demo

.PHONY: test
test: ## All that has to pass: layout, lints, documents, all tests
	@scripts/prerequisites test
	@$(MAKE) lint
	$(CARGO) build --locked --workspace --bins
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps --quiet
	$(CARGO) test --locked --workspace --doc --quiet
	agents=$$(scripts/agents) && COFFERDAM_TEST_AGENTS=$$agents $(CARGO) nextest run --locked $(PACKAGES) --profile ci $(ARGS)

.PHONY: quick
quick: ## The short loop: layout, lints and the fast tests
	@scripts/prerequisites quick
	@$(MAKE) lint
	$(CARGO) build --locked --workspace --bins --quiet
	$(CARGO) nextest run --locked $(PACKAGES) --profile quick $(ARGS)

.PHONY: fuzz
fuzz: ## Mutated inputs for the parsers of hostile text; what breaks one is kept in target/fuzz-crashes
	@scripts/prerequisites quick
	COFFERDAM_FUZZ_SECONDS=$(SECONDS_EACH) COFFERDAM_FUZZ_CRASHES=$(CURDIR)/target/fuzz-crashes $(CARGO) nextest run --locked --workspace --lib --bins --profile fuzz $(ARGS)

.PHONY: mutate
mutate: ## Each part of the enforcement left out: does the probe, or a test, notice?
	@scripts/prerequisites quick
	@$(CARGO) build --locked --quiet --workspace --bins
	$(CARGO) run --locked --quiet -p cofferdam --example mutate -- $(ARGS)

.PHONY: lint
lint: ## Layout and lints only
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --quiet -- -D warnings

.PHONY: bench
bench: ## Start, reading, memory, network: beside bwrap, other proxies, and no cell
	@scripts/prerequisites bench
	@$(CARGO) build --release --locked --quiet -p cofferdam
	@$(CARGO) build --release --locked --quiet -p cofferdam-testkit --example load
	@scripts/bench $(ARGS)

.PHONY: compare
compare: ## Measure our cell and other sandboxes: docs/comparison.md and its pictures
	@scripts/prerequisites compare
	@$(CARGO) build --release --locked --quiet -p cofferdam
	@scripts/compare $(ARGS)
