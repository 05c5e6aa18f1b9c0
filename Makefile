# `make repro` runs the pipeline, `make test` the tests. Both first create the environment that they need in .venv.
PYTHON ?= python3
# DVC calls programs by name, so the environment's come first in PATH; Python's hashing must not vary between runs.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONHASHSEED := 0

CODE := src tests benchmarks notebooks
PIP := .venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt
# prints `ok` if this Python can create .venv
PROBE := import ensurepip, sys, venv; print("ok" * ((3, 11) <= sys.version_info[:2] <= (3, 13)))
WRONG := $(PYTHON) is not Python 3.11, 3.12 or 3.13 with venv; install one and name it: make PYTHON=python3.12

.PHONY: repro test lint bench clean
repro: .venv/.run
	dvc repro

test: .venv/.dev
	OMP_NUM_THREADS=1 python -m pytest --numprocesses 2 --dist loadfile

lint: .venv/.dev
	ruff check $(CODE)
	ruff format --check $(CODE)
	mypy
	lint-imports

# Speed compared with peers, in about half an hour; BENCH=--quick: in a few minutes. NANOGPT=path measures nanoGPT as well.
bench: .venv/.bench
	python -m benchmarks.speed $(BENCH)

.venv/.run: pyproject.toml constraints.txt
	$(if $(filter ok,$(shell $(PYTHON) -c '$(PROBE)' 2>/dev/null)),,$(error $(WRONG)))
	$(PYTHON) -m venv .venv
	$(PIP) -e '.[serve]'
	touch $@

.venv/.dev: .venv/.run
	$(PIP) -e '.[dev]'
	touch $@

# LitGPT pins an old version of transformers, so it comes without what it depends on, which is here already.
.venv/.bench: .venv/.run
	$(PIP) -e '.[bench]'
	$(PIP) --no-deps litgpt
	touch $@

# Removes the environment and the outputs of `dvc repro`, which `dvc checkout` restores from DVC's cache. Sweeps, W&B's
# runs, exports and your own files are kept.
clean:
	rm -rf .venv scratch report metrics plots data/raw data/tokenizer data/tokens
	rm -rf models/base models/snapshots models/classifier models/chat models/translator
	@rmdir data models 2>/dev/null || true
