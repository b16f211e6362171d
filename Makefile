PYTHON ?= python3
BIN := .venv/bin

.PHONY: study study-all test clean

study: .venv/installed
	$(BIN)/tnqml run headline

study-all: .venv/installed
	$(BIN)/tnqml run all

test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist worksteal

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv results build dist *.egg-info
