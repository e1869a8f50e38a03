# The verbs of obid. `make run` and `make test` need only python3 (3.11 or newer) and make: the first call
# builds .venv from the hash-locked requirements, later calls rebuild it when a lock or pyproject.toml changes.
# Without make (Windows): type the recipe, with .venv\Scripts\python where it says $(PY).
# Another interpreter: `make PYTHON=python3.13 ...`, after removing a .venv that an older one built.

PYTHON ?= python3
PY := .venv/bin/python
# Releases younger than this are not locked. Move it forward to upgrade: same date, same lock.
LOCK_BEFORE := 2026-10-01T12:00:00Z
# One version for every Python (--fork-strategy fewest), because another numpy could be another digest.
RESOLVE := UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --upgrade --exclude-newer $(LOCK_BEFORE) \
	--universal --python-version 3.11 --fork-strategy fewest --generate-hashes

.PHONY: help venv run test check soak week kill books fuzz hl-hour alpaca-hour streams bench lock

help: # Lists the verbs.
	@grep -E '^[a-z-]+:.*# ' Makefile

venv: .venv/dev.stamp # Installs everything, the tools of test, check and bench included.

run: .venv/run.stamp # Trades a synthetic perps market; no keys, no network. Ctrl-C stops it cleanly.
	$(PY) -m daemon run --mode synthetic --engine perps

test: .venv/dev.stamp # Runs the tests.
	$(PY) -m pytest -q

check: .venv/dev.stamp # Lints, checks the formatting, checks the types.
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

soak: .venv/run.stamp # Runs one synthetic day of all three engines as fast as it goes, state in var/soak.
	$(PY) -m daemon run --mode synthetic --engine perps --engine crypto --engine equities --seed 7 --for 24h --speed max --data-dir var/soak

week: .venv/dev.stamp # Runs three engines through a week of closes, releases and a crash in virtual time (SYMBOLS=all: every name; half an hour for few).
	$(PY) -m tests.soak.week --symbols $(or $(SYMBOLS),few) --seed $(or $(SEED),7)

kill: .venv/dev.stamp # Kills the real daemon N times at every step of an order's life, at both emulated venues (300 take 8 minutes).
	$(PY) -m tests.soak.kill --kills $(or $(N),300) --seed $(or $(SEED),1)

books: .venv/dev.stamp # Checks N snapshots of many synthetic markets (10,000,000 of them take a minute or two).
	$(PY) -m tests.soak.books $(or $(N),10000000)

fuzz: .venv/dev.stamp # Damages N frames of Hyperliquid and Alpaca (1,000,000 take a minute) and reads them.
	$(PY) -m tests.soak.frames $(or $(N),1000000)

hl-hour: .venv/dev.stamp # Trades the emulated Hyperliquid for an hour under default faults and compares both sides (SPEED=5: in 12 minutes).
	$(PY) -m tests.soak.hl_hour --speed $(or $(SPEED),1)

alpaca-hour: .venv/dev.stamp # Trades coins and shares at the emulated Alpaca around a close (MINUTES of its time, at SPEED; 1140 reach the next open).
	$(PY) -m tests.soak.alpaca_hour --speed $(or $(SPEED),1) --minutes $(or $(MINUTES),60)

streams: .venv/dev.stamp # Streams to 200 clients, and to 100 that do not read, for ten minutes (Linux): CPU, memory, nobody cut.
	$(PY) -m tests.soak.streams

bench: .venv/dev.stamp # Prints the benchmarks and writes benchmarks/out/bench.json.
	$(PY) -m benchmarks

lock: # Resolves both locks for every platform and CPython 3.11 to 3.13; needs uv, in an environment of its own.
	$(RESOLVE) --group build pyproject.toml -o requirements.lock
	$(RESOLVE) --group build --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

# What it takes to run: locked packages, then obid itself, which downloads nothing more.
.venv/run.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'obid needs Python 3.11 or newer: make PYTHON=python3.12 ...')"
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# What it takes to work on it, in the same environment.
.venv/dev.stamp: .venv/run.stamp requirements-dev.lock
	$(PY) -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
