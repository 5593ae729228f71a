# Everything runs from .venv, which this file makes from the lock; nothing else has to be installed by hand
# but git, python3 (3.11 or newer) and make. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
WORKERS ?= 2
PYTEST ?=
BENCH ?=


.DEFAULT_GOAL := help
.PHONY: help venv components demo test test-fast fuzz lint format bench docs lock wheel clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP)  ## Make .venv from requirements.lock

$(STAMP): requirements.lock tools/uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "fleetward needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "python's venv module is missing: install it (Debian: python3-venv)" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

components: $(STAMP)  ## Find or build kube-apiserver, kube-controller-manager, etcd and OPA
	@$(BIN)/python -m reconciler.sandbox

demo: components  ## Show the main job on three real control planes (KEEP=1 leaves them running)
	@$(BIN)/python -m tools.demo $(if $(KEEP),--keep)

test: components  ## Run the whole suite, real components included
	@$(BIN)/pytest -n $(WORKERS) $(PYTEST)

test-fast: $(STAMP)  ## Run the tests that start nothing
	@$(BIN)/pytest -n $(WORKERS) -m "not real" $(PYTEST)

fuzz: $(STAMP)  ## Look for inputs that break a property, 2000 examples each (PYTEST="tests/trust" for parts)
	@$(BIN)/pytest -n $(WORKERS) -m "hypothesis and not real" --hypothesis-profile=search --timeout=3600 $(PYTEST)

lint: $(STAMP)  ## Ruff, mypy strict, import-linter, generated files up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tools.reference --check
	@$(BIN)/python -m tools.runbook --check
	@$(BIN)/python -m tools.bootstrap_manifest --check
	@$(BIN)/python -m tools.profiles_manifest --check

format: $(STAMP)  ## Format the code
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: components  ## Measure, as ratios within one run; writes docs/benchmarks.md (BENCH="log commits" for parts)
	@$(BIN)/python -m tools.bench $(BENCH)

docs: $(STAMP)  ## Make the generated pages again
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tools.runbook
	@$(BIN)/python -m tools.bootstrap_manifest
	@$(BIN)/python -m tools.profiles_manifest

lock: $(STAMP)  ## Choose new versions within pyproject.toml's bounds
	@echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-header --no-emit-index-url - -o tools/uv.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-header --no-emit-index-url --group dev pyproject.toml -o requirements.lock

wheel: $(STAMP)  ## Build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean:  ## Remove what make made here; caches elsewhere stay
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
