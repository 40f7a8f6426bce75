# Two commands matter: `make demo` and `make test`. Both set up first what is missing.
# ARGS go to the command: make demo ARGS="--offline --exit", make test ARGS="-k kernel -x".
# Tests run in two processes beside each other; WORKERS=0 runs them in one.
.PHONY: help setup demo test check lint docs bench storm fuzz audit containers lock down clean
ARGS ?=
ONLY ?=
WORKERS ?= 2
UV = sh stack/uv.sh
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate

help:            ## say what there is
	@sed -n 's/^\([a-z]*\): .*## /\1	/p' $(MAKEFILE_LIST) | expand -t 10

setup:           ## make .venv and fetch what the stack needs; quick when all is there
	@PYTHON="$(PYTHON)" sh stack/setup.sh
	@sh web/build.sh

demo: setup      ## the main job on real candles, start to end
	@.venv/bin/mela demo $(ARGS)

test: setup      ## all tests, those on the real services included
	@.venv/bin/python -m pytest -n $(WORKERS) $(ARGS)

check: lint      ## what must hold before a commit: lint, quick tests, dbt parse
	@.venv/bin/python -m pytest -q -n $(WORKERS) -m "not integration and not nightly" $(ARGS)
	@.venv/bin/dbt --quiet parse --project-dir dbt --profiles-dir dbt

lint: setup      ## style, types, the directions of imports
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/pyright
	@.venv/bin/lint-imports

docs: setup      ## build the site of the docs into build/site; a warning is an error
	@.venv/bin/python docs/site/reference.py
	@.venv/bin/python -m benchmarks.scaling_page
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet $(ARGS)
	@echo "open build/site/index.html"

bench: setup     ## measure the claims; ONLY=path for a part
	@.venv/bin/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(ARGS)

storm: setup     ## publish scenes for 20 minutes while processes are killed; SEED=7 repeats a storm; ONLY=live kills what trades
	@.venv/bin/python -m $(if $(filter live,$(ONLY)),pytest -q -m nightly tests/live/test_restart.py,tests.storm $(if $(SEED),--seed $(SEED))) $(ARGS)

fuzz: setup      ## look for input that a parser does not stand, a minute for each; ARGS=-max_total_time=600
	@.venv/bin/python -m tests.fuzz all -max_total_time=60 $(ARGS)

audit: setup     ## ask which of the pinned packages are known to be vulnerable
	@found=0; for pins in requirements/dev.txt requirements/audit.txt benchmarks/peers/*.txt; do echo "$$pins"; $(UV) tool run --quiet --constraints requirements/audit.txt pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement $$pins $(ARGS) || found=1; done; exit $$found

containers:      ## execute docs/containers.md on a container engine: build, up, scenes, kills, backup, upgrade, down
	@python3 -m tests.delivery.engine $(ARGS)

lock: setup      ## compile requirements/*.in into the pinned *.txt
	@$(COMPILE) requirements/runtime.in --output-file requirements/runtime.txt
	@$(COMPILE) requirements/dev.in --constraints requirements/runtime.txt --output-file requirements/dev.txt
	@$(COMPILE) requirements/audit.in --output-file requirements/audit.txt
	@for peer in backtesting backtrader vectorbt; do $(COMPILE) benchmarks/peers/$$peer.in --output-file benchmarks/peers/$$peer.txt || exit 1; done

down:            ## stop the stack; its data stay
	@.venv/bin/mela down

clean:           ## stop the stack and remove what setup made; its data stay
	@if [ -x .venv/bin/mela ]; then .venv/bin/mela down; fi
	rm -rf .venv .venv-peers web/node_modules web/dist build *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
