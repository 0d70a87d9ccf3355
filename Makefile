# `make demo` and `make test` each need Python 3.10 or later (with venv and pip), make, and nothing else.
# Another Python: make test PYTHON=python3.12

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
ifeq ($(OS),Windows_NT)
PY := $(VENV)/Scripts/python.exe
else
PY := $(VENV)/bin/python
endif

.PHONY: help venv demo lint test samples bench clean

help:
	@echo "make demo     see uvreport at work on a failure that it builds itself (about a minute)"
	@echo "make test     lint, types, and all tests, with real uv releases"
	@echo "make lint     ruff and mypy"
	@echo "make samples  make sample_bundles/ anew"
	@echo "make bench    print the figures that the README quotes (long: see benchmarks/ for each alone)"
	@echo "make clean    remove what these have made here"

venv:
	@"$(PYTHON)" .ci/venv.py $(VENV)

demo: venv
	@$(PY) -m uvreport demo

lint: venv
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

test: lint
	$(PY) -m pytest -n $(WORKERS)

samples: venv
	$(PY) -m tests.failing_states.samples sample_bundles

bench: venv
	$(PY) -m benchmarks.startup
	$(PY) -m benchmarks.collect
	$(PY) -m benchmarks.check
	$(PY) -m benchmarks.redaction
	$(PY) -m benchmarks.replay
	$(PY) -m benchmarks.bisect
	$(PY) -m benchmarks.minimize

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
