# make demo          the 2018 incident, happening and not happening (SERVE=1 leaves it running)
# make test          everything the tests need, and all of them but tests/cluster (TESTS=... some)
# make test-cluster  the chart and the injector in a real API server (which is built once)
# make check         what CI runs before the tests
# make format        the code and the policies as check wants them
# make fuzz          bodies that nobody would write (FORMAT=sse SECONDS=60: one format or coding)
# make lock          the locks, from pyproject.toml
# make bench         the gateway beside all that one would take instead (QUICK=1: three minutes)
# make sizing        what an export costs in processor time and memory, and docs/sizing.md from it
# make big           bodies of 5 GB, and 200 exports at once, in bounded memory (SIZE=500MB ONLY=zip)
# make dashboard     the Grafana dashboard's JSON (PICTURE=1: and docs/dashboard.png)
# make image         the container image: BASE=<registry>/python:3.11-slim-bookworm@sha256:...
# make sbom          what is in it, as CycloneDX

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS ?= $(CURDIR)/.tools/bin
OPA_VERSION := v1.21.3
export PATH := $(TOOLS):$(PATH)

.PHONY: demo test test-cluster check fuzz bench bench-guard sizing big dashboard image sbom venv tools tools-cluster lock format \
  clean

demo: $(VENV)/ready
	@$(BIN)/privacy-gateway demo $(if $(SERVE),--serve)

# Everything but tests/cluster, for which an API server is built: they are make test-cluster.
test: $(VENV)/ready tools
	$(BIN)/python -m pytest $(or $(TESTS),--ignore=tests/cluster)

test-cluster: $(VENV)/ready tools tools-cluster
	$(BIN)/python -m pytest tests/cluster

check: $(VENV)/ready tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	tools/check-chart
	$(BIN)/python -m pytest tests/test_layout.py
	tools/check-policies
	$(BIN)/hadolint Dockerfile

fuzz: $(VENV)/ready
	$(BIN)/python -m tests.fuzz $(FORMAT) --seconds $(or $(SECONDS),60)

bench: $(VENV)/ready tools
	@tools/install-contest $(TOOLS)
	TOOLS=$(TOOLS) $(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(ROUNDS),--rounds $(ROUNDS))

# The same without the peers, held against what it was: fails where something became slower.
bench-guard: $(VENV)/ready tools
	TOOLS=$(TOOLS) $(BIN)/python -m bench --guard

sizing: $(VENV)/ready
	$(BIN)/python -m bench.sizing $(if $(QUICK),--quick)

# Needs 16 GB of disk for the spool, and time; with a SIZE of your own it only tries.
big: $(VENV)/ready
	$(BIN)/python -m bench.big $(if $(SIZE),--size $(SIZE)) $(if $(ONLY),--only $(ONLY))

dashboard: $(VENV)/ready
	$(BIN)/python -m dashboards $(if $(PICTURE),--picture docs/dashboard.png)

# A tag can be moved to another image, a digest can't.
IMAGE ?= privacy-gateway
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
image:
	@case "$(BASE)" in *@sha256:*) ;; *) \
	  echo "name the base by its digest: make image BASE=<registry>/python:3.11-slim-bookworm@sha256:..." >&2; \
	  exit 2;; esac
	docker buildx build --platform linux/amd64,linux/arm64 --tag $(IMAGE):$(VERSION) \
	  --build-arg BASE=$(BASE) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git rev-parse HEAD) --build-arg SOURCE=$(SOURCE) \
	  --build-arg CREATED=$$(git show -s --format=%cI HEAD) .

# The same two commands as in the Dockerfile: the locked packages alone, and what they are.
sbom: $(VENV)/ready
	$(BIN)/python -m venv --clear --without-pip build/sbom
	$(BIN)/pip --python build/sbom/bin/python install --quiet --require-hashes -r requirements/run.lock
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file build/sbom.cdx.json build/sbom/bin/python
	@echo build/sbom.cdx.json

venv: $(VENV)/ready

$(VENV)/ready: requirements/dev.lock requirements/beside.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5))' || \
	  { echo "Python 3.11.5 or newer is needed (before, re misreads possessive groups); name one with make PYTHON=python3.12" >&2; exit 2; }
	@echo "making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --upgrade \
	  --target $(VENV)/beside -r requirements/beside.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# A real OPA and regal come from the Go toolchain where there is one; tests that need one that is
# missing are skipped with the reason, and .ci/run fails on such a skip.
tools:
	@tools/install $(TOOLS) $(OPA_VERSION)

# A real kube-apiserver of our own module's pins (tools/kubernetes); five to ten minutes, once.
tools-cluster:
	@tools/install-cluster $(TOOLS)

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header pyproject.toml -o requirements/run.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header pyproject.toml --group dev -o requirements/dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --group build -o requirements/build.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --group contest -o requirements/contest.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --group beside -o requirements/beside.lock

format: $(VENV)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	opa fmt --write policies

clean:
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
