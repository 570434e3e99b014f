# Everything here needs python3 (3.10 to 3.13), make and a POSIX shell.
#   make install PYTHON=python3.12      another Python than python3
#   make run TRIALS=20 ARGS="--workers 4"

PYTHON ?=
TRIALS ?= 100
ARGS =
BIN = .venv/bin

.DEFAULT_GOAL = help
.PHONY: help install run test lint types dashboard bench docs wheel lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-12s%s\n' "$$name" "$$text"; done

install:  ## create .venv with the locked dependencies (at once when nothing changed)
	@PYTHON="$(PYTHON)" sh scripts/install

run: install  ## search the fruit task: TRIALS=100, more options in ARGS
	$(BIN)/search run fruit --trials $(TRIALS) $(ARGS)

test: install  ## lint, types and all tests; pytest options in ARGS
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: install  ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install  ## mypy, strict: the packages, then tests and scripts
	$(BIN)/mypy
	$(BIN)/mypy tests scripts

dashboard: install  ## open optuna-dashboard on studies.db
	$(BIN)/search dashboard $(ARGS)

bench: install  ## milliseconds per trial, beside Ray Tune and Optuna
	$(BIN)/python -m benchmarks.cost.overhead $(ARGS)

docs: install  ## write the command reference anew, and build docs/ to site/
	$(BIN)/python scripts/command_reference.py
	$(BIN)/python scripts/licences.py
	$(BIN)/python -m mkdocs build --strict --quiet

wheel: install  ## build dist/*.whl
	rm -rf build  # Or modules deleted since the last time would be in it.
	$(BIN)/python -m build --wheel --no-isolation

lock: install  ## write requirements.lock anew; uv's options in ARGS (--upgrade)
	sh scripts/lock $(ARGS)

clean:  ## remove .venv, build outputs and caches; studies and artifacts stay
	rm -rf .venv build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
