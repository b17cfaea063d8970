# Two commands do all the set-up: `make repro` and `make test`. `make help` lists the rest.

PYTHON ?= python3
SOURCE ?= exchange

ifeq ($(OS),Windows_NT)
SHELL := bash
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

# `dvc` runs the stages with the `python` that it finds first, so the environment has to be active.
IN_VENV := . $(BIN)/activate &&
INSTALLED := .venv/installed
# DVC unpickles what lies in its site cache, which by default every user of the machine may write to.
READY := .venv/site-cache

.PHONY: help repro test test-slow verify golden lint check back compare compare-base comment post-comment experiments forecast controls scheduler worker bench original volatility-best plots-page lock

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else \
	"error: Python must be 3.11, 3.12 or 3.13; received %d.%d. Name one: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv .venv
	@echo "Installing the locked dependencies into .venv: about 1 GB, a few minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(READY): $(INSTALLED)
	@$(IN_VENV) python -m tools.site_cache

repro: $(READY)  ## set up, check params.yaml, run what has changed
	@$(IN_VENV) python -m tools.check
	$(IN_VENV) dvc repro

test: $(READY)  ## set up, run the tests, all but the slow ones
	$(IN_VENV) python -m pytest -q -n auto --dist worksteal -m "not slow"

test-slow: $(READY)  ## run the slow tests: planted leaks, kill -9, broken files, tries, ways back, controls with few seeds
	$(IN_VENV) python -m pytest -q -n auto -m slow

verify: $(READY)  ## reproduce a tiny market under other settings of processor and place: are the bytes the same?
	@$(IN_VENV) python -m tools.verify

golden: $(READY)  ## write the metrics anew that tests/test_golden.py compares with
	@$(IN_VENV) python -m tests.golden

lint: $(READY)  ## ruff, mypy, and zizmor for the workflows
	$(IN_VENV) ruff check . && ruff format --check . && mypy
	$(IN_VENV) zizmor --offline --quiet --strict-collection --persona pedantic .github

check: $(READY)  ## check params.yaml
	@$(IN_VENV) python -m tools.check

back: $(READY)  ## params.yaml, dvc.lock and all results as they are committed, after whatever accident
	@$(IN_VENV) python -m tools.back

# BASE goes by the environment: a branch's name is no shell code.
export BASE JSON

compare: $(READY)  ## better or worse than where this branch left BASE (by default main)? ARGS="--md" adds options
	@$(IN_VENV) python -m tools.compare $${BASE:+--from "$$BASE"} $(ARGS)

post-comment:  ## (of a workflow) write the comment of a pull request, or change the one that there is
	@python3 tools/compare/post.py

comment: $(READY)  ## what a pull request is told, from JSON that its job wrote: make comment JSON=comparison.json
	@$(IN_VENV) python -m tools.compare.comment "$${JSON:-comparison.json}"

compare-base: $(READY)  ## bring the results of where this branch left BASE into the cache, for compare
	@$(IN_VENV) python -m tools.compare.base $${BASE:+--from "$$BASE"}

experiments: $(READY)  ## all experiments in one table: verdicts, skill, edge, and the settings that differ
	@$(IN_VENV) python -m tools.experiments

forecast: $(READY)  ## the forecast at the newest closed candle, by the model in models/; ARGS="--json" adds options
	@$(IN_VENV) python -m tools.forecast $(ARGS)

controls: $(READY)  ## markets of which the truth is known: is noise called noise? Takes two to three hours; resumable
	$(IN_VENV) python -m tools.controls

bench: $(READY)  ## how fast, and in how much memory, beside references; ARGS="growth" measures one part
	@$(IN_VENV) python -m tools.bench $(ARGS)

scheduler: $(READY)  ## of a Dask cluster, on this machine alone; ARGS="--host 10.0.0.1" lets others in
	@$(IN_VENV) python -m tools.cluster scheduler $(ARGS)

worker: $(READY)  ## a process a core, for the scheduler at DASK_SCHEDULER_ADDRESS
	@$(IN_VENV) python -m tools.cluster worker $(ARGS)

# ORIGINAL is the run that this project grew out of; VOLATILITY asks the other question of its candles, as
# the pipeline would by default.
CANDLES := -S fetch.source=$(SOURCE) -S fetch.start=2025-01-20T16:00 -S fetch.end=2025-08-17 \
  -S 'featurize.windows=[1,4,24]' -S split.scheme=holdout -S split.warmup_bars=213
ORIGINAL := $(CANDLES) -S task=direction -S label.direction.timeout=zero -S label.direction.up_atr=3.0 \
  -S label.direction.down_atr=3.0 -S train.offset=none -S train.class_weights=balanced -S train.batch=32 \
  -S train.epochs=50 -S train.patience=10 -S train.learning_rate=0.001
VOLATILITY := $(CANDLES) -S task=volatility
IMPORTED := $(if $(filter file,$(SOURCE)),--copy-paths data/import/file)

original: $(READY)  ## the run it grew out of, then volatility on its candles
	$(IN_VENV) dvc exp run --temp $(IMPORTED) --name original-direction $(ORIGINAL)
	$(IN_VENV) dvc exp run --temp $(IMPORTED) --name original-volatility $(VOLATILITY)

# What docs/experiments.md kept. SET adds settings, or changes these: make volatility-best SET="-S split.folds=16".
VOLATILITY_BEST := -S task=volatility -S 'featurize.groups=[volume,clock,distance,freed]' \
  -S split.folds=7 -S split.test_bars=2016 -S train.network=dense -S train.window=1 -S train.dropout=0.3 \
  -S 'train.error_half_lives=[1,24,168]' -S train.trees=60 -S train.epochs=12 -S train.keep_epoch=last \
  -S train.refit_epochs=6 -S 'train.seeds=[1,2,3,4,5,6]'

volatility-best: $(READY)  ## the best forecast of volatility that is known here; SET="-S ..." for your candles
	$(IN_VENV) dvc exp run $(VOLATILITY_BEST) $(SET)

plots-page: $(READY)  ## write the page on which `dvc plots` draws, .dvc/plots/page.html, anew (with npm, from its registry)
	@$(IN_VENV) python -m tools.plots_page

lock: $(READY)  ## resolve pyproject.toml into requirements.txt, for every platform
	$(IN_VENV) uv pip compile pyproject.toml --group dev --extra s3 --extra ssh --extra cluster --universal \
	  --generate-hashes --no-annotate --custom-compile-command "make lock" -o requirements.txt
