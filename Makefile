# make study     install, run the quickstart study, print its answer
# make test      install, lint, type-check, test
# Another environment than .venv: make study VENV="$VIRTUAL_ENV"
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.anytime-pruning-study

.PHONY: study install test lint format test-slow test-faults test-browser test-server bench gpu clean

study: install
	$(BIN)/app-study launch search_spaces/quickstart.yaml

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

test: lint
	$(BIN)/python -m pytest -m "not gpu and not slow and not faults and not browser and not server"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-slow: install
	$(BIN)/python -m pytest -m "slow and not faults"

test-faults: install
	$(BIN)/python -m pytest -m faults

bench: install
	$(BIN)/python -m benchmarks

test-browser: install
	$(BIN)/python -m pytest -m browser

test-server: install
	$(BIN)/python -m pytest -m server

gpu: install
	$(BIN)/python -m pytest -m gpu

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
