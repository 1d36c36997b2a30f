# make demo: the main job in one command.  make test: everything that keeps it true.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# Hundreds of processes start in the tests: what is compiled is kept, beside what is installed, whatever the shell says.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-x509 test setup lint types layers unit crash takeovers docs pictures lock clean

demo: setup
	$(BIN)/usher demo

# The same on a network of certificates.
demo-x509: setup
	$(BIN)/usher demo --network x509

test: setup lint types layers unit

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "usher needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

# Most of the tests over a real broker wait: more of them than processors run at once. A module stays with one worker,
# since what it sets up may be a whole fleet; those that take long come first, by the names of their folders.
unit: setup
	$(BIN)/pytest -n 5 --dist loadscope --no-loadscope-reorder

# The crash matrix, all of it, and every torn write (docs/crashes.md); `make test` has a sample of both.
crash: setup
	$(BIN)/python -m tests.crash.torn_whole
	$(BIN)/python -m tests.crash

# A hundred takeovers between two daemons (docs/high-availability.md); `make test` has three.
takeovers: setup
	$(BIN)/python -m benchmarks.takeovers --rounds 100

# The documents that are written from the one table, and the picture of the README; a test says when they are stale.
docs: setup
	$(BIN)/python -P -m diagrams.documents --write docs --picture README.md
	$(BIN)/python -P -m usher.pages docs

# The pictures of docs/pictures, by Graphviz; a test says which are not of today's table.
pictures: setup
	$(BIN)/python -m tests.unit.docs.pictures docs/pictures

# The versions that the two commands use, with their hashes; run by a maintainer when pyproject.toml changes.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-header --no-emit-find-links --output-file requirements.lock pyproject.toml
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
