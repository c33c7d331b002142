# Needs nothing but make, git and Python 3.11 or newer (PYTHON=python3.12 chooses one).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.PHONY: app test soak lint types bench screenshots reference results docs clean

app: $(INSTALLED)
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: $(INSTALLED_DEV) lint types
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

soak: $(INSTALLED_DEV)
	timeout 7200 $(BIN)/python -m pytest -m nightly

lint: $(INSTALLED_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED_DEV)
	$(BIN)/mypy

bench: $(INSTALLED_DEV)
	$(BIN)/python -m benchmarks

screenshots: $(INSTALLED_DEV)
	$(BIN)/python -m tools.screenshots

reference: $(INSTALLED_DEV)
	$(BIN)/python -m tools.reference

results: $(INSTALLED_DEV)
	$(BIN)/python -m tools.results

docs: $(INSTALLED_DEV)
	$(BIN)/mkdocs build

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache bench-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "EDAC Explorer needs Python 3.11 or newer; choose one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(INSTALLED_DEV): $(INSTALLED) requirements-dev.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement requirements-dev.txt
	touch $@
