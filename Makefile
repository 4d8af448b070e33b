# Everything a developer or CI runs. `make` alone prints the list.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?=
BIN := .venv/bin
# Passed on to pytest: make test ARGS="tests/policy -x"
ARGS ?=
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-config --quiet --custom-compile-command "make lock"

.PHONY: help setup run test check cases bench dst soak fuzz audit sabotage mutants crash reliability docs links lock clean format

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | \
	while IFS=$$'\t' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

setup: .venv/.ready ## make .venv from nothing (Python 3.11 or newer with pip; no root)

.venv/.ready: requirements.lock pyproject.toml tools/bootstrap.lock tools/setup.sh
	@PYTHON="$(PYTHON)" bash tools/setup.sh

run: setup ## the demo: no account, no secret, a phone in the browser
	@$(BIN)/antirelou demo

test: setup ## all tests, each suite's seconds against its budget (ARGS="..." goes to pytest)
	@bash tools/chromium.sh
	@bash tools/peers.sh
	@$(BIN)/python -m pytest $(ARGS)

check: setup ## all that CI does: format, lint, types, floors, house rules, tests
	@$(BIN)/python tools/check.py

cases: setup ## each case C01, C02, ... with its tests and results (STRICT=1: missing ones fail)
	@bash tools/chromium.sh
	@bash tools/peers.sh
	@$(BIN)/python tools/cases.py $(if $(filter-out 0,$(STRICT)),--strict)

bench: setup ## speed, measured on this machine
	@$(BIN)/python -m bench $(ARGS)

dst: setup ## deterministic simulation: 2,000 runs with crashes and faults (ARGS="--seeds 50")
	@$(BIN)/python -m tests.dst $(ARGS)

soak: setup ## long loops that do not fit into check
	@$(BIN)/python -m bench.soak $(ARGS)
	@$(BIN)/python -m tests.dst --soak

fuzz: setup ## odd inputs at every reader: no exception, no unsigned row (MINUTES=10)
	@$(BIN)/python -m tools.fuzz --minutes $(or $(MINUTES),2) $(ARGS)

audit: setup ## the locked packages against the list of known vulnerabilities
	@$(BIN)/python tools/audit.py

sabotage: setup ## take out each guard once in a copy; a test must see it (ARGS="--only NAME")
	@$(BIN)/python -m tools.sabotage $(ARGS)

mutants: setup ## mutmut on policy, ledger, outbox and inbox (ARGS="ledger --again")
	@$(BIN)/python -m tools.mutants $(ARGS)

crash: setup ## kill -9 under load, 500 rounds on SQLite and on PostgreSQL (ARGS="--rounds 50")
	@$(BIN)/python -m tests.crash $(ARGS)

reliability: setup ## write docs/reliability.md from the figures of the proofs that ran
	@$(BIN)/python -m tools.reliability --collect

docs: setup ## the documents as a site in .cache/docs/site, every dead link a fault
	@$(BIN)/python -m tools.docs_site

links: setup ## ask whether the documents' links to other hosts still lead somewhere
	@$(BIN)/python -m tools.docs_site --links

format: setup ## let ruff format and mend what it can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix-only .

lock: setup ## write the lock files anew, newest versions within pyproject.toml
	@.tools/bin/uv pip compile $(LOCK) --upgrade tools/bootstrap.in -o tools/bootstrap.lock
	@.tools/bin/uv pip compile $(LOCK) --upgrade --extra dev --extra charts --extra fast --extra postgresql --extra print --extra bench --extra docs \
		pyproject.toml -o requirements.lock
	@.tools/bin/uv pip compile $(LOCK) --constraint requirements.lock \
		--extra charts --extra fast --extra postgresql --extra print \
		pyproject.toml -o deploy/runtime.lock
	@! grep -nE '://|--(extra-)?index-url|--find-links' requirements.lock tools/bootstrap.lock \
		deploy/runtime.lock || \
		{ echo 'lock: an address got into a lock file'; exit 1; }
	@echo 'lock: written; now: make setup check'

clean: ## remove what setup and the tools made
	@rm -rf .venv .tools .cache dist build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
