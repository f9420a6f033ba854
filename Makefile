SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
TORCH ?= torch==2.13.0
DEV := .venv-dev
RUN := .venv
CHROMIUM ?= /usr/bin/chromium
PYTEST_ARGS ?=
TEST_PROCESSES ?= 2
PIP := -m pip --disable-pip-version-check --quiet
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or \
	sys.exit("sigmapose needs Python 3.11 or newer, for example: make PYTHON=python3.12")'
DEMO_INPUT ?= examples/street.mp4
DEMO_OUT ?= demo-out
BENCH_OUT ?= bench-out
FUZZ_SECONDS ?= 180
STUDY ?= all
STUDY_OUT ?= runs/study
STUDY_ARGS ?=

.PHONY: help demo test quick lint format fuzz bench study clean

help:
	@echo "make demo    build $(RUN) (runtime only) and find people in $(DEMO_INPUT)"
	@echo "make test    build $(DEV) (with the training stack) and run every test"
	@echo "make quick   the tests that take seconds"
	@echo "make lint    ruff, import-linter, pyright"
	@echo "make fuzz    every reader of files on damaged ones, FUZZ_SECONDS=180 for each of 8 (a quarter of an hour)"
	@echo "make bench   speed and accuracy on this machine"
	@echo "make study   what each part of the method buys: FEATURES=DIR BODIES=DIR [UNLABELLED=DIR] (hours)"

$(RUN)/.installed: pyproject.toml
	@$(CHECK_PYTHON)
	@echo 'Installing the runtime into $(RUN) (about 440 MB) ...'
	@test -x $(RUN)/bin/python || $(PYTHON) -m venv $(RUN)
	@$(RUN)/bin/python $(PIP) install --editable .
	@$(RUN)/bin/python $(PIP) uninstall --yes setuptools 2>/dev/null || true
	@touch $@

$(DEV)/.installed: pyproject.toml
	@$(CHECK_PYTHON)
	test -x $(DEV)/bin/python || $(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(PIP) install $(TORCH)
	$(DEV)/bin/python $(PIP) install --editable '.[train,timm,view,dev]'
	touch $@

# The scene page is tested by using it in a browser.
$(CHROMIUM):
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq chromium; \
	else echo "install Chromium, or name yours: make test CHROMIUM=$$(command -v google-chrome)" >&2; exit 1; fi

demo: $(RUN)/.installed
	$(RUN)/bin/sigmapose predict $(DEMO_INPUT) --out $(DEMO_OUT) --overwrite
	@echo "The results lie in $(DEMO_OUT)/: open $(DEMO_OUT)/scene.html in a browser."

# Each process with one thread, so that they do not fight over the cores. In one process: PYTEST_ARGS='-n 0'.
test quick: export OMP_NUM_THREADS ?= 1
PYTEST = $(DEV)/bin/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test: $(DEV)/.installed $(CHROMIUM)
	$(PYTEST) $(PYTEST_ARGS)

quick: $(DEV)/.installed
	$(PYTEST) -m "not slow and not bench" $(PYTEST_ARGS)

lint: $(DEV)/.installed
	$(DEV)/bin/ruff check --no-cache .
	$(DEV)/bin/ruff format --no-cache --check .
	$(DEV)/bin/lint-imports
	$(DEV)/bin/pyright

format: $(DEV)/.installed
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

fuzz: $(DEV)/.installed
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(DEV)/bin/python -m pytest -q -n $(TEST_PROCESSES) --dist load tests/io/test_fuzz.py $(PYTEST_ARGS)

bench: $(DEV)/.installed
	$(DEV)/bin/python -m pytest -m bench -s $(PYTEST_ARGS)
	mkdir -p $(BENCH_OUT)
	for name in synth-occ pose2sim-occ; do \
		$(DEV)/bin/sigmapose bench $$name --json $(BENCH_OUT)/$$name.json --report $(BENCH_OUT)/$$name.html; done
	$(DEV)/bin/sigmapose bench pose2sim --json $(BENCH_OUT)/pose2sim.json --report $(BENCH_OUT)/pose2sim.html \
		--check benchmarks/expectations.json

# Needs what `sigmapose train` makes on its way: FEATURES=RUN/features BODIES=RUN/bodies. experiments/study.md says more.
study: $(DEV)/.installed
	@test -n "$(FEATURES)" -a -n "$(BODIES)" || { echo "make study FEATURES=DIR BODIES=DIR [UNLABELLED=DIR]"; exit 2; }
	$(DEV)/bin/python -m experiments study $(STUDY) --features $(FEATURES) --bodies $(BODIES) \
		$(if $(UNLABELLED),--unlabelled $(UNLABELLED)) --out $(STUDY_OUT) $(STUDY_ARGS)
	mkdir -p $(STUDY_OUT)/bench
	$(DEV)/bin/python -m experiments study compare --features $(FEATURES) --out $(STUDY_OUT) \
		| tee $(STUDY_OUT)/bench/compare.md

clean:
	rm -rf $(RUN) $(DEMO_OUT) $(BENCH_OUT) dist
