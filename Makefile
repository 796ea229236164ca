# Everything a person does here. `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_FLAGS := --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test check bench mutate soak lock install install-dev browser clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/base: requirements/base.txt requirements/embedded.txt
	@echo "Installing into $(VENV) (first time only) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/base.txt
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/embedded.txt
	@touch $@

$(VENV)/dev: $(VENV)/base requirements/dev.txt
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/dev.txt
	@touch $@

install: $(VENV)/base
install-dev: $(VENV)/dev

run: install ## Start everything, with local providers and a demo mailbox; Ctrl-C stops all of it
	@exec $(BIN)/python -m config.run

test: install-dev ## Run the tests, in three processes (no service needs to be installed)
	@$(BIN)/python -m tests

check: install-dev ## Lint, types, architecture, deployment checks, OpenAPI, security lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m tests.production_settings -m mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.architecture
	@$(BIN)/python -m tests.production_settings manage.py check --deploy --fail-level WARNING
	@$(BIN)/python -m tests.production_settings manage.py makemigrations --check --dry-run
	@$(BIN)/python -m tests.production_settings manage.py spectacular --validate --fail-on-warn --file /dev/null
	@$(BIN)/bandit -q -ll -c pyproject.toml -r config providers organizations vault sync tracking sidebar dashboard simulators

bench: install-dev ## Measure, side by side in one run; prints a table and writes bench/results.json
	@$(BIN)/python -m bench

mutate: install-dev ## Make small faults in the vault's code, one at a time, and see whether its tests notice (three hours on two busy cores)
	@$(BIN)/python -m tests.mutation

soak: install-dev ## What takes too long for CI: the storm, 20,000 mails under 50 kills, the leak scan, a stranger's clone, 300 examples for each operation and seed
	@$(BIN)/python -m pytest -m soak -s
	@FULL=1 $(BIN)/python -m pytest tests/hardening/test_schemathesis.py

browser: ## Install what the browser and Node tests need (Debian, as root)
	apt-get update -qq && apt-get install -y -qq chromium xvfb nodejs npm
	npm ci --prefix tests/browser --no-audit --no-fund
	npm ci --prefix tests/contracts/jsforce --no-audit --no-fund

lock: ## Lock requirements/*.in again
	@for name in base embedded dev prod; do \
	  uv pip compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 --universal \
	    --custom-compile-command "make lock" requirements/$$name.in -o requirements/$$name.txt || exit 1; done

clean: ## Remove the virtual environment and all local data
	rm -rf $(VENV) .local staticfiles
