# The verbs of obid. `make run` and `make test` need only python3 (3.11 or newer) and make: the first call
# builds .venv from the hash-locked requirements, later calls rebuild it when a lock or pyproject.toml changes.
# Without make (Windows): type the recipe, with .venv\Scripts\python where it says $(PY).
# Another interpreter: `make PYTHON=python3.13 ...`, after removing a .venv that an older one built.

PYTHON ?= python3
PY := .venv/bin/python
# Releases younger than this are not locked. Move it forward to upgrade: same date, same lock.
LOCK_BEFORE := 2026-10-01T12:00:00Z
# One version for every Python (--fork-strategy fewest), because another numpy could be another digest.
RESOLVE := UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile --quiet --no-strip-extras --upgrade --exclude-newer $(LOCK_BEFORE) \
	--universal --python-version 3.11 --fork-strategy fewest --generate-hashes

.PHONY: help venv run test again-alone check soak museum week kill deadman-drill torn again sim storms canary books fuzz hl-hour alpaca-hour streams pictures bench lock reconcile

help: # Lists the verbs.
	@grep -E '^[a-z-]+:.*# ' Makefile

venv: .venv/dev.stamp # Installs everything, the tools of test, check and bench included.

run: .venv/run.stamp # Trades a synthetic perps market; no keys, no network. Ctrl-C stops it cleanly.
	$(PY) -m daemon run --mode synthetic --engine perps

test: .venv/dev.stamp # Runs the tests, two files at a time; what fails beside others is shown, and decided by a second run by itself.
	$(PY) -m pytest -q --numprocesses 2 --dist loadfile || { test $$? -eq 1 && $(MAKE) --no-print-directory again-alone; }

# Hundreds of tests wait for real sockets and processes, often in accelerated time, where a tenth of a second in which
# the machine is elsewhere is seconds. A defect fails by itself, too.
again-alone:
	@echo "What failed runs once more, with nothing beside it: if it passes now, look why it needs an idle machine."
	$(PY) -m pytest -q --last-failed --last-failed-no-failures none

check: .venv/dev.stamp # Lints, checks the formatting, checks the types.
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

soak: .venv/run.stamp # Soaks the daemon under faults in virtual time, HOURS=24 by default, and writes a certificate to var/soak (REAL=1: wall clock).
	$(PY) -m daemon soak --hours $(or $(HOURS),24) --seed $(or $(SEED),1) $(if $(REAL),--real) --out var/soak

museum: .venv/run.stamp # Replays every failure of the museum and writes docs/museum.md.
	$(PY) -m daemon scenario run --all --markdown > docs/museum.md.new && mv docs/museum.md.new docs/museum.md

week: .venv/dev.stamp # Runs three engines through a week of closes, releases and a crash in virtual time (SYMBOLS=all: every name; half an hour for few).
	$(PY) -m tests.soak.week --symbols $(or $(SYMBOLS),few) --seed $(or $(SEED),7)

kill: .venv/dev.stamp # Kills the real daemon N times at every step of an order's life, at both emulated venues (300 take two minutes; RESUME=--resume goes on).
	$(PY) -m tests.soak.kill --kills $(or $(N),300) --seed $(or $(SEED),1) $(RESUME)

torn: .venv/dev.stamp # Damages the journal and the log at N places each and starts on them (5,000 take two minutes).
	$(PY) -m tests.soak.torn --places $(or $(N),5000) --seed $(or $(SEED),1)

sim: .venv/dev.stamp # Simulates the whole daemon under faults, a world a seed (SEEDS=50 from FIRST=1, RESUME=--resume goes on; SEED=123 repeats one, SHRINK=1 makes it small).
	$(PY) -m tests.soak.sim $(if $(SEED),--seed $(SEED) $(if $(SHRINK),--shrink),--seeds $(or $(SEEDS),50) --first $(or $(FIRST),1) $(RESUME)) $(if $(CONTROL),--control $(CONTROL))

reconcile: .venv/dev.stamp # Lets everything befall an account, STEPS of it, under the real reconciler and ledger (5,000,000 take hours).
	$(PY) -m tests.soak.reconcile --steps $(or $(STEPS),5000000) --seed $(or $(SEED),1)

storms: .venv/dev.stamp # Crashes every actor once and five times in a row, at both emulated venues, in virtual time (two minutes).
	$(PY) -m tests.soak.storms

canary: .venv/dev.stamp # Takes secrets through every mode and every way to fail, and looks for them in all that is left (two minutes).
	$(PY) -m tests.soak.canary

deadman-drill: .venv/dev.stamp # Kills, stops, hangs and cuts off a daemon with 20 resting orders, RUNS times each, and measures until none rests (an hour).
	$(PY) -m tests.soak.deadman --runs $(or $(RUNS),3) --seed $(or $(SEED),1)

again: .venv/dev.stamp # Records a live run (emulated, MINUTES) and a virtual one (HOURS), replays both and compares every decision.
	$(PY) -m tests.soak.again --minutes $(or $(MINUTES),20) --hours $(or $(HOURS),4)

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

pictures: .venv/dev.stamp # Makes docs/pictures anew: obid top, run and report, of six synthetic hours with a fixed seed (a minute).
	$(PY) -m tests.soak.pictures

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
