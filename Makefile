# Everything a developer or CI runs. `make` alone prints the list.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?=
BIN := .venv/bin
# Passed on to pytest: make test ARGS="tests/policy -x"
ARGS ?=
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-config --quiet --custom-compile-command "make lock"

.PHONY: help setup run test check cases bench dst soak fuzz lock clean format

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | \
	while IFS=$$'\t' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

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

fuzz: setup ## odd requests at Twilio's webhooks: no exception, no row (INPUTS=200000)
	@$(BIN)/python -m tools.fuzz_webhook $(or $(INPUTS),200000)

format: setup ## let ruff format and mend what it can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix-only .

lock: setup ## write the lock files anew, newest versions within pyproject.toml
	@.tools/bin/uv pip compile $(LOCK) --upgrade tools/bootstrap.in -o tools/bootstrap.lock
	@.tools/bin/uv pip compile $(LOCK) --upgrade --extra dev --extra charts --extra fast --extra postgresql --extra print --extra bench --extra docs \
		pyproject.toml -o requirements.lock
	@! grep -nE '://|--(extra-)?index-url|--find-links' requirements.lock tools/bootstrap.lock || \
		{ echo 'lock: an address got into a lock file'; exit 1; }
	@echo 'lock: written; now: make setup check'

clean: ## remove what setup and the tools made
	@rm -rf .venv .tools .cache dist build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
