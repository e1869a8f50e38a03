"""The cap of entries a day, over a restart on the same day."""

from tests.daemon.runs import count, eager, log_of, obid


def test_a_restart_does_not_renew_the_days_entries(tmp_path):
    config, data = eager(tmp_path, "entries_max = 3\n"), tmp_path / "data"
    run = ("run", "--config", config, "--symbols", "BTC,ETH", "--bar", "5s", "--plain", "--data-dir", data)
    obid(*run, "--for", "5m", "--speed", "max")
    orders = [line for line in log_of(data, "order_changed") if line["entry"]]
    assert len({line["intent_id"] for line in orders if line["state"] in ("resting", "filled")}) == 3
    assert any(line["rule"] == "entries_cap" for line in log_of(data, "refused"))
    second = obid(*run, "--for", "5m", "--speed", "max")
    again = [line for line in log_of(data, "approved") if line["run"].endswith("-2") and line["wish"].get("evidence")]
    assert [line for line in again if line["wish"]["purpose"] == "entry"] == []
    assert count(second, "intents") > 0
