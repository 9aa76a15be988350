# Every target sets up what it needs (.ci/setup.sh: Python, .venv, packages, system libraries).
# The first run takes some minutes, later ones start at once.

SHELL := bash
BIN := .venv/bin
# Nothing here needs a screen: windows are drawn off it.
QUIET_KIVY := KIVY_NO_ARGS=1 KIVY_NO_CONSOLELOG=1 KIVY_NO_FILELOG=1
NO_SCREEN := $(QUIET_KIVY) SDL_VIDEODRIVER=offscreen
export PYTHON FINGERPOST_NO_APT

.PHONY: help demo test test-slow check format bench wheel clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 12

demo:  ## captions for a signing video (a window where there is a screen, else the terminal)
	@.ci/setup.sh app
	@KIVY_NO_ARGS=1 $(BIN)/fingerpost demo

test:  ## all tests that take seconds
	@.ci/setup.sh dev
	@$(NO_SCREEN) $(BIN)/python -m pytest $(ARGS)

test-slow:  ## the tests that take longer
	@.ci/setup.sh dev
	@$(NO_SCREEN) $(BIN)/python -m pytest -m "slow and not gpu and not aarch64" $(ARGS)

check:  ## ruff (lint and format) and mypy
	@.ci/setup.sh dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format:  ## let ruff write what `make check` asks for
	@.ci/setup.sh dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench:  ## speed and memory, measured on this machine
	@.ci/setup.sh dev
	@$(NO_SCREEN) $(BIN)/python -m pytest -m "slow or not slow" -s tests/bench $(ARGS)

wheel:  ## dist/*.whl (a left-over build/ would put deleted modules into it)
	@.ci/setup.sh dev
	@rm -rf build dist
	@$(BIN)/python -m build --wheel
	@rm -rf build

clean:  ## remove .venv and everything that was built
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
