"""Invariants in the whole program: our code breaks none; a bug halts it by name, with or without assertions."""

import asyncio
import contextlib
import json
import subprocess
import sys

import pytest

from actors.messages import InvariantBroken
from daemon import mailbox_check
from risk.invariants import Checks, Invariant
from supervisor.mailbox import BATCH_MAX, Hears, Mailbox
from supervisor.messages import Tick
from tests.daemon.runs import ROOT, eager, log_of, obid
from tests.fakes import Note, child, notebook, play, tree

RUN = ("run", "--mode", "synthetic", "--speed", "max", "--symbols", "BTC,ETH,SOL", "--bar", "5s")


def test_nothing_is_broken_and_every_invariant_is_looked_at(tmp_path) -> None:
    told = obid(*RUN, "--for", "10m", "--config", eager(tmp_path), "--data-dir", tmp_path / "d", "--json")
    summary = json.loads(told.stdout.splitlines()[0])
    assert summary["broken"] == {}
    assert set(summary["checked"]) == set(Invariant)
    assert summary["fills"] > 20
    assert min(summary["checked"].values()) >= 10


@pytest.mark.parametrize("options", [(), ("-O",)])
def test_a_bug_halts_by_name_and_crashes_nothing(tmp_path, options) -> None:
    bugged = (
        "import sys\n"
        "from risk.ledger import books\n"
        "usual = books.Books._apply\n"
        "def apply(self, transfer):\n"
        "    if not transfer.debit.startswith('fees:'):\n"
        "        usual(self, transfer)\n"
        "books.Books._apply = apply\n"
        "from daemon.__main__ import main\n"
        "sys.exit(main())\n"
    )
    arguments = [*RUN, "--for", "6m", "--config", eager(tmp_path), "--data-dir", tmp_path / "d", "--plain"]
    done = subprocess.run(
        [sys.executable, *options, "-c", bugged, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "BROKEN     account_balance: perps: cash and inventory are off by" in done.stdout
    assert "restarts     0" in done.stdout
    (halt, *_) = [line for line in log_of(tmp_path / "d", "trading_state") if line["state"] == "halted"]
    assert halt["reason"].startswith("invariant account_balance: perps: cash and inventory are off by")
    (first, *_) = log_of(tmp_path / "d", "invariant_broken")
    assert (first["invariant"], first["level"]) == ("account_balance", "error")
    entries = [one for one in log_of(tmp_path / "d", "approved") if one["wish"].get("purpose") == "entry"]
    assert all(one["at_ns"] <= halt["at_ns"] + 1_000_000_000 for one in entries)


def test_a_mailbox_over_its_bound_is_found() -> None:
    box = Mailbox("ledger", (Hears(Tick, size_max=3),), lambda: 0)
    for number in range(3):
        box.lanes[Tick].put(Tick(number))
    assert mailbox_check.overfull([box]) == ""
    for number in range(BATCH_MAX):
        box.lanes[Tick].put_first(Tick(number))  # what a crash had in hand
    assert mailbox_check.overfull([box]) == ""
    box.lanes[Tick].put_first(Tick(0))
    assert mailbox_check.overfull([box]) == f"ledger: {BATCH_MAX + 4} Tick wait, 3 is the bound"


def test_who_watches_mailboxes_says_so() -> None:
    pages, checks = [], Checks()

    async def script(house, _):
        lane = house.mailboxes["stuck"].lanes[Note]
        for number in range(BATCH_MAX + 1):
            lane.put_first(Note(number))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.5 * mailbox_check.LOOK_S):
                await mailbox_check.watch_mailboxes(house, checks, house.clock)

    stuck = child("stuck", hears=(Hears(Note, size_max=0),))
    play(tree(stuck, notebook("ears", pages, InvariantBroken)), script, (Note, InvariantBroken))
    assert [page.invariant for page in pages] == [Invariant.MAILBOX_BOUND] * 2
    assert checks.checked[Invariant.MAILBOX_BOUND] == 4
