# make demo   the 2018 incident, happening and not happening (make demo SERVE=1 leaves it running)
# make test   everything the tests need, and all of them
# make check  what CI runs before the tests
# make bench  the gateway beside a raw pass-through and nginx, in one run
# make sizing what an export costs in processor time and memory, and docs/sizing.md from it
# make dashboard   the Grafana dashboard's JSON (make dashboard PICTURE=1: and docs/dashboard.png)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS ?= $(CURDIR)/.tools/bin
OPA_VERSION := v1.21.3
export PATH := $(TOOLS):$(PATH)

.PHONY: demo test check bench sizing dashboard venv tools lock format clean

demo: $(VENV)/ready
	@$(BIN)/privacy-gateway demo $(if $(SERVE),--serve)

test: $(VENV)/ready tools
	$(BIN)/python -m pytest $(TESTS)

check: $(VENV)/ready tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_layout.py
	tools/check-policies

bench: $(VENV)/ready
	$(BIN)/python -m bench $(if $(QUICK),--quick)

sizing: $(VENV)/ready
	$(BIN)/python -m bench.sizing $(if $(QUICK),--quick)

dashboard: $(VENV)/ready
	$(BIN)/python -m dashboards $(if $(PICTURE),--picture docs/dashboard.png)

venv: $(VENV)/ready

$(VENV)/ready: requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.12" >&2; exit 2; }
	@echo "making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# A real OPA and regal come from the Go toolchain where there is one; tests that need one that is
# missing are skipped with the reason, and .ci/run fails on such a skip.
tools:
	@tools/install $(TOOLS) $(OPA_VERSION)

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header pyproject.toml -o requirements/run.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header pyproject.toml --group dev -o requirements/dev.lock

format: $(VENV)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	opa fmt --write policies

clean:
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
