# `make help` lists the targets.
PYTHON ?= python3
INSTALL = PYTHON="$(PYTHON)" harbor_core/standalone/install.sh
T ?= tests
# Directories whose tests bring whole stacks, with the databases they need; they run one after the other.
STACKS = e2e faults browser standalone gateway replication
WITHOUT_STACKS = $(addprefix --ignore=tests/,$(STACKS))
# Directories of the smoke run on SQLite: what writes to the database.
SMOKE = auth jobservice projects
FAST = not slow and not compose
PARALLEL = -n auto --dist loadscope
.DEFAULT_GOAL := help
.PHONY: help run manage test test-slow test-compose bench conformance lint format install clean screenshots

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## The whole registry in the foreground on port 8080; settings: docs/configuration.md
	@$(INSTALL) run
	@exec .venv/bin/python -m harbor_core.standalone

manage: ## A management command of the registry of `make run`: make manage C="doctor"
	@.venv/bin/python -m harbor_core.standalone manage $(C)

test: install ## The test suite against private PostgreSQL, Redis, docker-registry and nginx, then a smoke run on SQLite
	@status=0; \
	.venv/bin/python -m pytest $(T) -m "$(FAST)" $(WITHOUT_STACKS) $(PARALLEL) || status=1; \
	[ "$(T)" != tests ] || .venv/bin/python -m pytest $(addprefix tests/,$(STACKS)) -m "$(FAST)" || status=1; \
	[ "$(T)" != tests ] || HARBOR_TEST_DATABASE=sqlite .venv/bin/python -m pytest $(addprefix tests/,$(SMOKE)) \
		-m "$(FAST) and not postgres" $(PARALLEL) || status=1; \
	exit $$status

test-slow: ## What `make test` leaves out: large layers, faults, every client, the Helm chart
	@$(INSTALL) slow
	.venv/bin/python -m pytest $(T) -m slow

test-compose: ## The compose file on a private Docker Engine, with base images made of Debian packages
	@$(INSTALL) compose
	.venv/bin/python -m pytest tests/packaging -m compose

bench: install ## Ratios against a bare docker-registry on this machine
	.venv/bin/python -m tests.bench

conformance: ## The OCI distribution-spec conformance suite, all four workflows
	@$(INSTALL) conformance
	.venv/bin/python -m tests.support.conformance

lint: install ## Ruff, types, import layers, templates, missing migrations
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	HARBOR_BUILD=1 .venv/bin/mypy harbor_core auth projects replication jobservice portal
	HARBOR_BUILD=1 .venv/bin/lint-imports
	.venv/bin/djlint --lint --quiet portal/templates
	HARBOR_BUILD=1 .venv/bin/python manage.py makemigrations --check --dry-run

format: install ## Rewrite Python sources in the house format
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

screenshots: ## Pictures of every portal page, themes, widths and languages, in build/screenshots
	@$(INSTALL) screenshots
	.venv/bin/python -m tests.screenshots

install: ## Debian packages and the virtual environment for tests
	@$(INSTALL) test

clean: ## Remove caches and build output (never the data folder)
	rm -rf build .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
