"""Changes while it runs, as a person makes them: checked, on disk, in force, shown; the same again from a recording."""

import asyncio
import json
import sys

import pytest

from actors.messages import Tune
from daemon import session
from daemon.errors import BadInput
from daemon.operate import WaitingDoor
from tests.daemon.runs import Daemon, digest_of, eager, log_of, obid
from tests.daemon.test_run_compare import recording

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="the daemon is stopped by signals here")
MADE_AT_S = 20.0


class TuningDoor(WaitingDoor):
    """An operator in virtual time."""

    async def serve(self, command, ready):
        ready()
        await asyncio.sleep(MADE_AT_S)
        change = {"engine": "perps", "symbol": "", "source": "operator", "keep": False, "reason": "a test", "at_ns": 7}
        await command(Tune(name="z_entry", value="1.6", **change))
        await command(Tune(name="daily_loss_usd", value="100", **change))
        await asyncio.get_running_loop().create_future()


def made(folder, monkeypatch, *, tunes=True):
    """A run in virtual time, with the change or without; gives its digest and its data directory."""
    monkeypatch.setattr(session, "WaitingDoor", TuningDoor if tunes else WaitingDoor)
    folder.mkdir()
    args = ("--symbols", "BTC,ETH", "--bar", "1s", "--plain", "--record", "--config", eager(folder))
    result = obid("run", *args, "--data-dir", folder / "data", "--for", "60s", "--speed", "max")
    return digest_of(result), folder / "data"


def test_a_change_has_its_place_among_the_events_and_a_replay_decides_by_it_too(tmp_path, monkeypatch):
    digest, data = made(tmp_path / "one", monkeypatch)
    again, _ = made(tmp_path / "again", monkeypatch)
    without, _ = made(tmp_path / "without", monkeypatch, tunes=False)
    assert digest == again != without
    shown = obid("replay", recording(data), "--compare")
    assert "the same, byte for byte" in shown.stdout
    assert digest_of(shown) == digest
    lines = log_of(data, "tuned")
    assert [(line["name"], line["value"]) for line in lines] == [("z_entry", "1.6"), ("daily_loss_usd", "100")]
    bounds = {line["evidence"]["z_bound"] for line in log_of(data, "intent") if line["purpose"] == "entry"}
    assert {-0.3, 0.3} <= bounds <= {-0.3, 0.3, -1.6, 1.6}
    last = [line["evidence"]["z_bound"] for line in log_of(data, "intent") if line["purpose"] == "entry"][-1]
    assert abs(last) == 1.6


def rows(daemon, **asked):
    return {(row["name"], row["symbol"]): row for row in daemon.ask("get", **asked)}


@needs_signals
def test_set_get_explain_reload_and_what_a_restart_leaves(tmp_path):
    config = eager(tmp_path)
    options = ("--symbols", "BTC,xyz:MSTR", "--bar", "1s", "--speed", "20", "--config", config)
    with Daemon(tmp_path / "data", *options) as daemon:
        where = ("--data-dir", daemon.data_dir)
        said = obid("ctl", "set", "z_entry", "xyz:MSTR", "-1.75", *where).stdout
        assert said == "perps.z_entry xyz:MSTR: 1.75, was 1.5; until the end of this run\n"
        obid("ctl", "set", "net_cap_usd", "600", "--keep", "--reason", "first week", *where)
        row = rows(daemon, name="net_cap_usd")["net_cap_usd", ""]
        expected = {"configured": "1250", "now": "600", "by": "operator", "keep": True, "reason": "first week"}
        assert {name: row[name] for name in expected} == expected
        assert row["since_ns"] > 0
        assert ("z_entry", "xyz:MSTR") in rows(daemon)
        wrong(where, "set", "z_entry", "xyz:mstr", "2", says="did you mean xyz:MSTR?")
        wrong(
            where, "set", "z_entry", "xyz:MSTR", "0", says="perps.tiers.xyz:MSTR.z_entry '0': must be a finite number"
        )
        wrong(where, "set", "z_entry", says="value '': expected a number")
        wrong(where, "set", "net_cap_usd", "1300", says="only tightened while it runs")
        wrong(where, "set", "obi_theta", "--kep", "1", says="see obid ctl set --help")
        why_of_a_symbol(daemon, where)
        config.write_text(
            config.read_text().replace("[perps.risk]", "[perps.risk]\nnet_cap_usd = 900\ndaily_loss_usd = 900")
        )
        config.write_text(config.read_text().replace("window_bars = 5", "window_bars = 6\nobi_theta = 0.01"))
        told = json.loads(obid("ctl", "reload", "--json", *where).stdout)
        assert told["applied"] == [
            "perps.obi_theta: 0.01, was 0; after a restart too",
            "perps.net_cap_usd: 600, was 600; after a restart too",
        ]
        assert told["restart"][0] == "perps.signal.window_bars: 5 -> 6"
        assert "perps.daily_loss_usd" in told["restart"][1]
        obid("ctl", "set", "net_cap_usd", "default", *where)
        assert rows(daemon, name="net_cap_usd")["net_cap_usd", ""]["now"] == "900", "the file's, read meanwhile"
        obid("ctl", "set", "net_cap_usd", "600", "--keep", *where)
        config.write_text("[perps.nonsense]\n")
        wrong(where, "reload", says="perps.nonsense")
        eager(tmp_path)
        daemon.end()
    after_a_restart(tmp_path, options)


def wrong(where, *typed, says):
    result = obid("ctl", *typed, *where, code=2)
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def why_of_a_symbol(daemon, where):
    obid("ctl", "set", "entries", "xyz:MSTR", "off", *where)
    daemon.ask("pause")
    (why,) = daemon.ask("explain", id="xyz:MSTR")["engines"]
    holds = {(row["asked_by"], row["name"]): row["holds"] for row in why["conditions"]}
    assert not holds["signal", "entries_off"]
    assert not holds["gate", "state"]
    assert holds["feed", "feed"]
    first = next(row for row in why["conditions"] if not row["holds"])
    assert f"{first['asked_by']} says {first['name']}: " in why["verdict"]
    assert list(dict.fromkeys(row["asked_by"] for row in why["conditions"])) == ["feed", "signal", "gate"]
    shown = obid("ctl", "explain", "xyz:MSTR", *where).stdout
    assert shown.count("->") == 1
    daemon.ask("resume")
    with pytest.raises(BadInput, match="a symbol that is traded here"):
        daemon.ask("explain", id="MSTR")


def after_a_restart(folder, options):
    """What was kept holds; what was not is over; what the file does not allow any more is dropped, and said."""
    with Daemon(folder / "data", *options) as daemon:
        known = rows(daemon)
        assert known["net_cap_usd", ""]["now"] == "600"
        assert ("z_entry", "xyz:MSTR") not in known
        daemon.end()
    eager(folder, "net_cap_usd = 500\n")
    with Daemon(folder / "data", *options) as daemon:
        row = rows(daemon)["net_cap_usd", ""]
        assert (row["now"], row["by"]) == ("500", "file")
        assert [line["name"] for line in daemon.log("tuning_dropped")] == ["net_cap_usd"]
        daemon.end()
        assert "net_cap_usd was kept at 600" in daemon.wrongs()
