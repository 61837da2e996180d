# Nothing here needs an activated environment: every command is called from .venv, whose path is relative,
# so that the checkout may lie under a path with spaces.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PYTHON := $(VENV)/bin/python
# The stamp of a finished set-up names this folder, since an environment does not survive being moved or copied.
READY := $(VENV)/.ready-$(shell pwd -P | cksum | cut -d ' ' -f 1)
TORCH := $(shell sed -n '/^torch==/p' constraints.txt)

# With two threads on a contended core, loops over small tensors run many times slower than with one.
export OMP_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup system-libraries demo test lint check bench experiment clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-14s %s\n", $$1, $$2 }'

setup: $(READY) ## make .venv and install boxgp with its development tools (skipped when nothing changed)

$(READY): pyproject.toml constraints.txt
	@$(call create_venv)
	@echo "Installing $(TORCH) (the first time, this and the next step take minutes)"
	@$(PYTHON) -m pip install --quiet "$(TORCH)" -c constraints.txt
	@echo "Installing boxgp and its development tools"
	@$(PYTHON) -m pip install --quiet -e '.[dev]' -c constraints.txt
	@$(MAKE) --no-print-directory system-libraries
	@touch $(READY)
	@echo "Ready: try 'make demo' or '$(VENV)/bin/boxgp --help'."

# A copied, moved or half-made environment is made anew; a good one is kept.
define create_venv
if grep -qsF "$$(pwd -P)/$(VENV)" $(VENV)/bin/activate && $(PYTHON) -m pip --version >/dev/null 2>&1; then exit 0; fi; \
for candidate in python3.11 python3.12 python3.13 python3 python; do \
  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
    echo "Making $(VENV) with $$("$$candidate" --version) ($$(command -v "$$candidate"))"; \
    "$$candidate" -m venv --clear $(VENV); exit $$?; \
  fi; \
done; \
echo "boxgp needs Python 3.11 or newer with its venv module; none was found on the PATH." >&2; \
echo "Install one (Debian, Ubuntu: apt-get install python3.11 python3.11-venv), then run 'make setup' again." >&2; \
exit 1
endef

# open3d reads PLY and PCD files. Its wheel expects these libraries from the system; everything else runs without them.
OPEN3D_LIBRARIES := libusb-1.0-0 libgl1 libegl1 libx11-6 libudev1 libgomp1

system-libraries:
	@if $(PYTHON) -c 'import open3d' >/dev/null 2>&1; then exit 0; fi; \
	install='apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(OPEN3D_LIBRARIES)'; \
	as_root=''; \
	if [ "$$(id -u)" -eq 0 ]; then as_root='sh -c'; elif sudo -n true >/dev/null 2>&1; then as_root='sudo -n sh -c'; fi; \
	if [ -n "$$as_root" ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "Installing the system libraries of open3d"; $$as_root "$$install" >/dev/null || true; \
	fi; \
	if ! reason=$$($(PYTHON) -c 'import open3d' 2>&1); then \
	  echo "open3d cannot be imported, so PLY and PCD files cannot be read; all else works:"; \
	  echo "  $$(echo "$$reason" | tail -n 1)"; \
	  echo "On Debian or Ubuntu, as root: $$install"; \
	fi

demo: setup ## label the built-in rooms: a complete run on a CPU
	@$(VENV)/bin/boxgp run demo

test: setup ## run the quick tests
	@$(VENV)/bin/pytest

lint: setup
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

check: lint test ## what CI runs first: ruff, mypy, import rules, quick tests

# Figures go to benchmarks/results/, and from there into the documents. QUICK=--quick measures less; BENCHMARKS chooses.
BENCHMARKS := ablations alternatives partitions tuning noise calibration growth reduction stores planning overhead convolution exports
ENGINES := engines machine

bench: setup ## measure everything again (hours) and render the tables of README.md and docs/
	@mkdir -p benchmarks/results
	@set -e; for name in $(BENCHMARKS); do \
	  echo "== $$name"; $(PYTHON) -m benchmarks.$$name $(QUICK) --json benchmarks/results/$$name.json; \
	done
	@set -e; for name in $(ENGINES); do \
	  echo "== $$name"; $(PYTHON) -m benchmarks.$$name --json benchmarks/results/$$name.json; \
	done
	@$(PYTHON) -m benchmarks.report

# `configs/experiment_large.yaml` is for a GPU: the same three commands by hand, with a folder of its own.
EXPERIMENT := outputs/experiment/small

experiment: setup ## train on seven kinds of labels, three seeds each, and compare (hours; goes on where it was)
	@$(PYTHON) -m benchmarks.experiment prepare configs/experiment.yaml $(EXPERIMENT) --seeds 0,1,2
	@$(PYTHON) -m benchmarks.experiment train $(EXPERIMENT) --processes 2
	@$(PYTHON) -m benchmarks.experiment table $(EXPERIMENT)

clean: ## remove .venv, caches and build files; results in outputs/ stay
	rm -rf $(VENV) build dist boxgp.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find configs pipeline stages tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
