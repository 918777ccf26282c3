# `make help` lists what there is. Every target that needs packages installs them first, into
# .venv, when the pinned requirements have changed.

PYTHON ?= python3
# Taken from make's command line only: shells and hosts export a HOST or PORT of another meaning.
HOST = 127.0.0.1
PORT = 8000
SHARDS =
WEB_WORKERS ?=
VERBOSE =
ARGS =
unexport HOST PORT SHARDS WEB_WORKERS VERBOSE ARGS FILE
FILE =

VENV := .venv
IN_VENV := $(VENV)/bin/python
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
# A half-made environment runs the machine's own Python: it is made again, whatever its stamps say.
IF_BROKEN := $(if $(wildcard $(VENV)/pyvenv.cfg),,always)
# For what can only be of use where the venue has run before.
NEEDS_VENV = test -x $(IN_VENV) -a -f $(VENV)/pyvenv.cfg || \
	{ echo "Nothing is installed here yet (there is no .venv): make run" >&2; exit 1; }

RUN_OPTIONS := --host $(HOST) --port $(PORT) $(if $(SHARDS),--shards $(SHARDS)) \
	$(if $(WEB_WORKERS),--web-workers $(WEB_WORKERS)) $(if $(VERBOSE),--verbose)

ifeq ($(FILE),)
ifneq ($(filter backup restore,$(MAKECMDGOALS)),)
$(error Name the file: make $(MAKECMDGOALS) FILE=venue.dump)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help install run stop status demo demo-margin backup restore reset test test-browser check format bench clean always

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make run takes PORT=8001 HOST=0.0.0.0 SHARDS=2 WEB_WORKERS=4 VERBOSE=1"
	@echo "  test, test-browser and bench take ARGS=\"...\"; all take PYTHON=python3.12"

install: $(RUN_STAMP) ## Make .venv and install what the venue needs

run: $(RUN_STAMP) ## Start everything: databases, engine, web, worker, clock
	@exec $(IN_VENV) -m embedded run $(RUN_OPTIONS)

stop: ## Stop the running venue
	@$(NEEDS_VENV)
	@$(IN_VENV) -m embedded stop

status: ## Show the processes of the running venue
	@$(NEEDS_VENV)
	@$(IN_VENV) -m embedded status

demo: ## Load the demo data into the running venue and show its keys
	@$(NEEDS_VENV)
	@$(IN_VENV) -m embedded exec --running -- $(IN_VENV) manage.py load_demo

demo-margin: $(RUN_STAMP) ## Tell the story of a margin account, at a venue of its own
	@$(IN_VENV) -m examples.margin_story

backup: $(RUN_STAMP) ## Write the database to a file: make backup FILE=venue.dump
	@$(IN_VENV) -m embedded backup "$(FILE)"

restore: $(RUN_STAMP) ## Replace the database by a backup, after asking: FILE=venue.dump
	@$(IN_VENV) -m embedded restore "$(FILE)" $(ARGS)

reset: $(RUN_STAMP) ## Delete the embedded databases, after asking
	@$(IN_VENV) -m embedded reset

test: $(DEV_STAMP) ## Run the tests, except those in a browser
	@$(IN_VENV) -m pytest -m "not browser" $(ARGS)

test-browser: $(DEV_STAMP) ## Run the tests in a browser (needs chromium)
	@$(IN_VENV) -m pytest -m browser $(ARGS)

check: $(DEV_STAMP) ## Lint, formatting, types, layers, missing migrations
	@$(IN_VENV) -m ruff check .
	@$(IN_VENV) -m ruff format --check .
	@$(IN_VENV) -m mypy .
	@$(VENV)/bin/lint-imports
	@$(IN_VENV) -m embedded exec -- $(IN_VENV) manage.py makemigrations --check --dry-run

format: $(DEV_STAMP) ## Format the code and mend what the linter can
	@$(IN_VENV) -m ruff format .
	@$(IN_VENV) -m ruff check --fix .

bench: $(DEV_STAMP) ## Measure orders per second, latencies, recovery
	@$(IN_VENV) -m benchmarks $(ARGS)

clean: ## Remove .venv and caches; data and .env stay
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

$(RUN_STAMP): requirements.txt requirements/uv.txt $(IF_BROKEN)
	@$(PYTHON) -m embedded.install requirements.txt $@

$(DEV_STAMP): requirements/dev.txt $(RUN_STAMP)
	@$(PYTHON) -m embedded.install requirements/dev.txt $@
