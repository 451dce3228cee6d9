# `make run` and `make test` are all that a fresh machine needs: Python 3.11, a C++ compiler, make.
# Each target makes .venv and builds first; both are stamped, so a second call is quick.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
NO_CACHE = -p no:cacheprovider
QUICK = -q -m "not slow" $(NO_CACHE)
SANITIZED = build/sanitized

INSTALLED = $(VENV)/.installed
BUILT = $(VENV)/.built
# What the compiled modules are made of; generated .cpp files are not among it.
NATIVE = setup.py $(shell find dailyarb -name '*.pyx' -o -name '*.pxd' -o -name '*.hpp' \
	-o -name '*.sources' -o -name '*_unit.cpp')

.PHONY: help run test test-all sim sim-long pairs kills soak soak-sim soak-live lint types layers check bench sanitize fuzz dist test-dist docs clean
.DEFAULT_GOAL := help

help:
	@echo 'make run        dailyarb on the embedded venues: no account, no key, no network'
	@echo 'make test       the quick suite'
	@echo 'make test-all   the slow tests too'
	@echo 'make sim        2,000 seeds of the fault world'
	@echo 'make sim-long   1,000,000 seeds on all cores; interrupted, it goes on where it was'
	@echo 'make pairs      pairs on the embedded venue: completion, naked times (ARGS="--rounds 20")'
	@echo 'make kills      200 SIGKILLs at random instants of a real run (ARGS="--kills 20" for fewer)'
	@echo 'make soak       both soaks under random faults, one after the other:'
	@echo 'make soak-sim   7 days in virtual time (ARGS="--days 1 --seed 2")'
	@echo 'make soak-live  an hour on loopback (ARGS="--minutes 10 --pause-s 60")'
	@echo 'make check      lint, types and layers'
	@echo 'make bench      the budgets on this machine, each beside its peers'
	@echo 'make sanitize   kernel tests under address and undefined-behaviour checks'
	@echo 'make fuzz       the decoders against the stdlib, long (FUZZ_MINUTES=30)'
	@echo 'make dist       wheel and sdist into dist/;  make test-dist installs them elsewhere'
	@echo 'make docs       the generated pages of docs from the code'
	@echo 'make clean      everything that was made, .venv too'

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dailyarb needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q 'setuptools>=77' 'cython==3.3.*' 'pysimdjson==7.0.2' 'picows==2.3.1' \
		'mypy==2.4.1' 'msgspec>=0.19'
	DAILYARB_LINK_ONLY=1 $(BIN)/python -m pip install -q --no-build-isolation -e '.[test,uvloop]'
	@touch $@

$(BUILT): $(NATIVE) $(INSTALLED)
	$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

run: $(BUILT)
	$(BIN)/dailyarb $(ARGS)

test: $(BUILT)
	$(BIN)/python -m pytest $(QUICK) $(ARGS)

test-all: $(BUILT)
	$(BIN)/python -m pytest -q $(NO_CACHE) $(ARGS)

sim: $(BUILT)
	$(BIN)/dailyarb sim $(ARGS)

kills: $(BUILT)
	$(BIN)/python -m tests.chaos.kills $(ARGS)

soak: $(BUILT)
	$(BIN)/python -m tests.soak_sim
	$(BIN)/python -m tests.soak_live

soak-sim: $(BUILT)
	$(BIN)/python -m tests.soak_sim $(ARGS)

soak-live: $(BUILT)
	$(BIN)/python -m tests.soak_live $(ARGS)

sim-long: $(BUILT)
	mkdir -p build
	$(BIN)/dailyarb sim --seeds 1000000 --resume build/sim-long.json $(ARGS)

pairs: $(BUILT)
	$(BIN)/dailyarb bench --only pairs $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check --no-cache .

types: $(BUILT)
	$(BIN)/mypy --strict

layers: $(INSTALLED)
	$(BIN)/lint-imports --no-cache --no-logo

check: lint types layers

bench: $(BUILT)
	$(BIN)/dailyarb bench $(ARGS)

# A copy of the tree is built with the checks on, so that the normal modules stay as they are.
sanitize: $(INSTALLED)
	rm -rf $(SANITIZED)
	mkdir -p $(SANITIZED)
	cp -r setup.py pyproject.toml README.md LICENSE NOTICE config.toml themes dailyarb tests $(SANITIZED)
	find $(SANITIZED) -name '*.so' -delete
	cd $(SANITIZED) && DAILYARB_SANITIZE=1 $(abspath $(BIN))/python setup.py -q build_ext --inplace
	cd $(SANITIZED) && LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" \
		ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		PYTHONMALLOC=malloc PYTHONPATH=. \
		$(abspath $(BIN))/python -m pytest $(QUICK) tests/unit -k test_fast_ $(ARGS)

FUZZ_MINUTES ?= 30
FUZZ_SEED ?= 1
fuzz: $(BUILT)
	$(BIN)/python -m tests.fuzz.decoders --minutes $(FUZZ_MINUTES) --seed $(FUZZ_SEED)

dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build -q

test-dist: $(BUILT)
	$(BIN)/python -m pytest -q $(NO_CACHE) -m slow tests/unit/test_packaging.py

docs: $(BUILT)
	$(BIN)/dailyarb config reference > docs/config.md
	$(BIN)/dailyarb runbook > docs/runbook.md
	$(BIN)/dailyarb sim --table > docs/faults.md
	$(BIN)/dailyarb strategies > docs/strategies.md
	$(BIN)/dailyarb tail --table > docs/log.md

clean:
	rm -rf $(VENV) build dist *.egg-info dailyarb/_data
	find . -name __pycache__ -prune -exec rm -rf {} +
	find dailyarb -name '*.so' -delete
	find dailyarb -name '*.pyx' | sed 's/pyx$$/cpp/' | xargs rm -f
