# Two commands do everything: `make run` builds the example project, `make test` checks the code.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: run test test-slow lint clean

run: .venv/installed
	$(BIN)/hnm run

test: .venv/installed-test lint
	$(BIN)/pytest -q -m "not slow" -n logical

# By file: what the tests of one file look at takes minutes to build.
test-slow: .venv/installed-test
	$(BIN)/pytest -q -m slow --timeout 1800 -n logical --dist loadfile --durations 10

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv target data/warehouse

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing into .venv (a few minutes the first time)"
	$(PIP) install -c constraints.txt -e '.[bundled]'
	@touch $@

.venv/installed-test: .venv/installed
	$(PIP) install -c constraints.txt -e '.[bundled,test]'
	@touch $@
