# make study     install, run the quickstart study, print its answer
# make check     lint, type-check, unit and property tests: a minute, between two edits
# make docs      the documentation as a site: docs/_build/html/index.html
# make test      all of that and the integration tests, on a real Ray
# Another environment than .venv: make study VENV="$VIRTUAL_ENV"
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOWEST ?= .venv-lowest
INSTALLED := $(VENV)/.anytime-pruning-study
# A process a core, and no more than four: each may start a Ray, which takes all cores for its own.
# The tests of a file stay together, as they share the study that they look at; tests/conftest.py
# says which begin first.
PYTEST := $(BIN)/python -m pytest
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
DEFAULT := not gpu and not slow and not faults and not browser and not server and not editor and not package

.PHONY: study install docs check test lint types test-quick test-all format test-slow test-faults test-browser test-server test-editor test-lowest package bench gpu clean

study: install
	$(BIN)/app-study launch search_spaces/quickstart.yaml

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# A warning, such as of a link that leads nowhere, is an error.
docs: install
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --builder html --doctree-dir docs/_build/doctrees docs docs/_build/html
	@echo docs/_build/html/index.html

# The type checker runs beside the tests.
check: lint
	$(MAKE) --no-print-directory --jobs 2 types test-quick

test: lint
	$(MAKE) --no-print-directory --jobs 2 types test-all

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

test-quick: install
	$(PYTEST) $(PARALLEL) -m "$(DEFAULT) and not ray" tests/unit tests/properties

test-all: install
	$(PYTEST) $(PARALLEL) -m "$(DEFAULT)"

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-slow: install
	$(PYTEST) -m "slow and not faults"

test-faults: install
	$(PYTEST) -m faults

bench: install
	$(BIN)/python -m benchmarks

test-browser: install
	$(PYTEST) -m browser

test-server: install
	$(PYTEST) -m server

test-editor: install
	$(PYTEST) -m editor

# The sdist and the wheel in dist/, and a study run from the wheel without the repository.
package: install
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	APP_STUDY_DIST="$(CURDIR)/dist" $(PYTEST) -m package

# The lowest versions that pyproject.toml allows, in an environment of their own.
test-lowest: install
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --extra dev --python $(LOWEST)/bin/python --output-file $(LOWEST)/lowest.txt pyproject.toml
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pytest -m "$(DEFAULT) and not ray" tests/unit

gpu: install
	$(PYTEST) -m gpu

clean:
.PHONY: study install docs check test lint types test-quick test-all format test-slow test-faults test-browser test-server test-editor test-lowest package bench gpu clean
