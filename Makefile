# Two commands: `make repro` runs the pipeline, `make test` the tests. Each sets up what it needs in .venv.
PYTHON ?= python3
# DVC calls programs by name, so the environment's come first; hashing must not differ from run to run.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONHASHSEED := 0

.PHONY: repro test lint clean
repro: .venv/.run
	dvc repro

test: .venv/.dev lint
	OMP_NUM_THREADS=1 python -m pytest --numprocesses 2 --dist loadfile

lint: .venv/.dev
	ruff check .
	ruff format --check .
	mypy
	lint-imports

.venv/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/.dev: .venv/.run
	.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv data models metrics plots report multirun outputs scratch wandb
