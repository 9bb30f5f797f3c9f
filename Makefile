# Everything that one does with the project. Needs make, Python 3.11 to 3.14 and a package index;
# the rest is installed into .venv, from the pins in requirements/.

VENV ?= .venv
PORT ?= 8000
PYTEST_ARGS ?=
INTERPRETERS ?=
UV ?= uv

PYTHON_IN_VENV := $(VENV)/bin/python
PIP := $(PYTHON_IN_VENV) -m pip --disable-pip-version-check
INSTALL_PINNED := $(PIP) install --quiet --require-hashes
STAMPS := $(VENV)/.stamps

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two installers in one environment get in each other's way, so `make -j` runs one target at a time.
.NOTPARALLEL:
.PHONY: help demo test soak soak-reloads coverage lint format docs reference bench wheel wheel-smoke lock audit changelog clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMPS)/project ## Serve the example plugins at http://127.0.0.1:8000 (PORT=... to change)
	@sed 's/{port}/$(PORT)/g' examples/demo/welcome.txt
	@cd examples/demo && exec "$(abspath $(VENV))/bin/nexus" run --port $(PORT)

test: $(STAMPS)/test ## Run the tests and every example of the documents (PYTEST_ARGS=...)
	$(PYTHON_IN_VENV) -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

soak: $(STAMPS)/test ## Kill processes that publish and handle events, for long (SOAK_KILLS=... and others)
	$(PYTHON_IN_VENV) -m tests.acceptance.events.soak

soak-reloads: $(STAMPS)/test ## Reload a plugin under load, and a thousand times, and count what is left (SOAK_RELOADS=... and others)
	$(PYTHON_IN_VENV) -m tests.acceptance.reloads.soak

coverage: $(STAMPS)/test ## Run the tests, measuring branch coverage against its gate
	$(PYTHON_IN_VENV) -m pytest -n auto --dist loadfile --cov=nexus $(PYTEST_ARGS)

lint: $(STAMPS)/test $(STAMPS)/lint ## Check style, formatting, types and import contracts
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m ruff format --check .
	$(PYTHON_IN_VENV) -m mypy
	$(VENV)/bin/lint-imports

format: $(STAMPS)/lint ## Format the code and mend what can be mended by a machine
	$(PYTHON_IN_VENV) -m ruff format .
	$(PYTHON_IN_VENV) -m ruff check --fix .

docs: $(STAMPS)/docs ## Build the documents into site/; a broken link is an error
	$(PYTHON_IN_VENV) -m zensical build --strict --clean

reference: $(STAMPS)/project ## Write the table of errors in the documents again
	$(PYTHON_IN_VENV) scripts/error_reference.py

bench: $(STAMPS)/project $(STAMPS)/bench ## Measure against the alternatives, into benchmarks/results/
	$(PYTHON_IN_VENV) -m benchmarks

wheel: $(STAMPS)/lint ## Build the source distribution, and the wheel from it, into dist/
	@rm -rf dist
	$(PYTHON_IN_VENV) -m build --no-isolation --outdir dist .

wheel-smoke: wheel ## Use the wheel by itself, on every Python found (INTERPRETERS=...)
	$(PYTHON_IN_VENV) scripts/wheel_smoke.py dist/*.whl $(INTERPRETERS)

lock: ## Pin the newest versions that pyproject.toml allows (needs uv)
	UV="$(UV)" sh scripts/lock.sh

audit: $(STAMPS)/project ## Ask for known vulnerabilities of the pinned libraries (needs a network)
	$(PYTHON_IN_VENV) scripts/audit.py

changelog: $(STAMPS)/lint ## Show what the next release's change log will say
	$(PYTHON_IN_VENV) -m towncrier build --draft --version unreleased

clean: ## Remove what was built and cached, the demo's data, and the virtual environment
	rm -rf $(VENV) build dist site examples/demo/data .cache .coverage .coverage.* \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp is newer than what it was made from, so nothing is installed twice.

$(STAMPS)/venv:
	@set -e; python="$(PYTHON)"; [ -n "$$python" ] || python=$$(sh scripts/find-python.sh); \
		echo "Making $(VENV) with $$("$$python" --version)"; "$$python" -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: requirements/runtime.txt requirements/build.txt | $(STAMPS)/venv
	@echo "Installing $(^:requirements/%=%)"
	@$(INSTALL_PINNED) $(^:%=-r %)
	@touch $@

$(STAMPS)/project: pyproject.toml src/nexus/_version.py $(STAMPS)/runtime
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/test $(STAMPS)/lint $(STAMPS)/docs $(STAMPS)/bench: $(STAMPS)/%: requirements/%.txt | $(STAMPS)/venv
	@echo "Installing $(<:requirements/%=%)"
	@$(INSTALL_PINNED) -r $<
	@touch $@

$(STAMPS)/test: | $(STAMPS)/project
