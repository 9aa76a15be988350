# Every target sets up what it needs (.ci/setup.sh: Python, .venv, packages, system libraries).
# The first run takes some minutes, later ones start at once.

SHELL := bash
BIN := .venv/bin
# Nothing here needs a screen: windows are drawn off it.
QUIET_KIVY := KIVY_NO_ARGS=1 KIVY_NO_CONSOLELOG=1 KIVY_NO_FILELOG=1
NO_SCREEN := $(QUIET_KIVY) SDL_VIDEODRIVER=offscreen
# mypy does not know setuptools' package-dir: it is shown the rooms as a folder `fingerpost`.
ROOMS := app assets distill edge_runtime trainer
FOR_MYPY := .mypy_cache/rooms
export PYTHON FINGERPOST_NO_APT

.PHONY: help demo test test-slow test-aarch64 android-tree ios-tree check check-wheels format bench wheel clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-15s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo:  ## captions for a signing video (a window where there is a screen, else the terminal)
	@.ci/setup.sh app
	@KIVY_NO_ARGS=1 $(BIN)/fingerpost demo

test:  ## all tests that take seconds
	@.ci/setup.sh dev
	@$(NO_SCREEN) $(BIN)/python -m pytest $(ARGS)

test-slow:  ## the tests that take longer
	@.ci/setup.sh dev
	@$(NO_SCREEN) $(BIN)/python -m pytest -m "slow and not gpu and not aarch64" $(ARGS)

test-aarch64:  ## the runtime on aarch64, as on a Jetson; emulated, without root (1 GB, minutes)
	@.ci/setup.sh dev
	@.ci/aarch64.sh
	@$(NO_SCREEN) $(BIN)/python -m pytest -m aarch64 $(ARGS)

android-tree:  ## build/android: the source tree of the Android app (docs/phones.md)
	@.ci/setup.sh app
	@$(BIN)/python .ci/phone_tree.py android build/android

ios-tree:  ## build/ios: the source tree of the iOS app
	@.ci/setup.sh app
	@$(BIN)/python .ci/phone_tree.py ios build/ios

check:  ## ruff (lint and format) and mypy
	@.ci/setup.sh dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@mkdir -p $(FOR_MYPY)/fingerpost
	@for room in $(ROOMS); do ln -sfn ../../../$$room $(FOR_MYPY)/fingerpost/$$room; done
	@set -o pipefail; MYPYPATH=$(FOR_MYPY) $(BIN)/mypy | sed 's#^$(FOR_MYPY)/fingerpost/##'

check-wheels:  ## do the wheels of the extra `app` fit a Jetson? (aarch64, Python 3.10 to 3.12)
	@.ci/setup.sh dev
	@$(BIN)/python .ci/check_wheels.py $(ARGS)

format:  ## let ruff write what `make check` asks for
	@.ci/setup.sh dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench:  ## speed and memory, measured on this machine
	@.ci/setup.sh dev
	@for bench in tests/bench/bench_*.py; do \
		echo "== $$bench"; $(NO_SCREEN) $(BIN)/python $$bench $(ARGS) || exit; done

wheel:  ## dist/fingerpost-*.whl, built from a clean source archive
	@.ci/setup.sh dev
	@rm -rf build dist  # setuptools would put the deleted modules of an old build/ into the wheel
	@$(BIN)/python -m build

clean:  ## remove .venv and everything that was built
	rm -rf .venv .aarch64 build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
