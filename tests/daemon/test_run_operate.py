"""An operator at a daemon that trades: every order does what it says, and every order under way can be explained."""

import sys

import pytest

from daemon.errors import BadInput
from tests.daemon.runs import Daemon, eager, obid

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the daemon is stopped by signals here")

PATIENT = """
[perps.routes.native]
lifetime_s = 3600
reprices_max = 0
reprice_bps_min = 500
"""
"""Orders that rest until somebody takes them back."""


@pytest.fixture(name="daemon", scope="module")
def _daemon(tmp_path_factory):
    """One daemon for all these tests; each leaves it trading."""
    folder = tmp_path_factory.mktemp("operate")
    options = ("--symbols", "BTC,ETH", "--bar", "1s", "--speed", "60", "--config", eager(folder))
    with Daemon(folder / "data", *options) as daemon:
        yield daemon
        daemon.end()
        assert daemon.wrongs() == ""
        assert "Traceback" not in daemon.said()
        assert daemon.log("control_failed") == []


@pytest.fixture(autouse=True)
def _resumed(daemon):
    yield
    daemon.ask("resume")
    daemon.wait_for(lambda: trading(daemon) == "active")


def trading(daemon):
    """The engine's trading state."""
    return daemon.ask("status")["engines"][0]["trading"]


def flat(daemon):
    """Whether nothing is held and nothing rests."""
    snapshot = daemon.ask("snapshot")
    return not snapshot["positions"] and not snapshot["orders"]


@pytest.mark.parametrize(("verb", "state"), [("pause", "reducing"), ("reduce", "reducing"), ("halt", "halted")])
def test_entries_stop_and_exits_go_on_until_resume(daemon, verb, state):
    daemon.wait_for(lambda: daemon.ask("positions"))
    refused = len(daemon.log("refused"))
    daemon.ask(verb, engine="perps", reason="looking at it")
    daemon.wait_for(lambda: trading(daemon) == state)
    assert daemon.ask("status")["engines"][0]["reason"] == "looking at it"
    daemon.wait_for(lambda: flat(daemon))  # the strategy leaves by itself, and nothing new comes
    seen = len(daemon.entries())
    daemon.wait_for(lambda: [line for line in daemon.log("refused")[refused:] if line["rule"] == "state"])
    assert len(daemon.entries()) == seen
    daemon.ask("resume", reason="all is well")
    daemon.wait_for(lambda: len(daemon.entries()) > seen)


def test_a_pause_of_one_engine_is_not_one_of_all_and_unknown_ones_are_named(daemon):
    with pytest.raises(BadInput, match="crypto"):
        daemon.ask("pause", engine="crypto")
    with pytest.raises(BadInput, match="only flatten and cancel take a symbol"):
        daemon.ask("pause", symbol="BTC")
    with pytest.raises(BadInput, match="in the venue's own case"):
        daemon.ask("flatten", symbol="btc")
    assert trading(daemon) == "active"


def test_flatten_leaves_everything(daemon):
    daemon.wait_for(lambda: daemon.ask("positions"))
    daemon.ask("halt")  # or the strategy would enter again at once
    daemon.wait_for(lambda: trading(daemon) == "halted")
    daemon.ask("flatten", reason="going home")
    daemon.wait_for(lambda: flat(daemon))


def test_cancel_takes_back_the_order_it_names(daemon):
    order = daemon.wait_for(lambda: [row for row in daemon.ask("orders") if row["state"] == "resting"])[0]
    try:
        lines = daemon.ask("cancel", order_id=order["order_id"][:12])["lines"]
    except BadInput as error:  # it was filled or moved in between
        assert "0 fit" in str(error)
    else:
        assert lines == [f"cancel asked for {order['order_id']} of {order['symbol']}"]
        daemon.wait_for(lambda: order["order_id"] not in {row["order_id"] for row in daemon.ask("orders")})
    with pytest.raises(BadInput, match="must be one resting order, 0 fit"):
        daemon.ask("cancel", order_id="0xnobody")


def test_a_filled_order_is_explained_from_the_book_to_the_fill(daemon):
    fill = daemon.wait_for(lambda: entry_fills(daemon))[-1]
    steps = daemon.wait_for(lambda: steps_of(daemon, fill["order_id"], "fill"))
    events = [step["event"] for step in steps]
    assert events[:4] == ["book", "bar", "intent", "approved"]
    numbers = {fact["name"]: fact for step in steps for fact in step["facts"]}
    assert float(numbers["z"]["value"])
    assert float(numbers["z"]["bound"])
    assert float(numbers["obi"]["value"])
    assert numbers["net_cap"]["bound"] == "1250 USD"
    shown = obid("ctl", "explain", fill["order_id"], "--data-dir", daemon.data_dir).stdout
    assert "(bound" in shown
    assert f"  fill: {fill['side']} " in shown


def entry_fills(daemon):
    """Fills of entries, out of the log."""
    intents = {line["wish"]["id"] for line in daemon.entries()}
    orders = {line["order"]["id"] for line in daemon.log("order_planned") if line["order"]["intent_id"] in intents}
    return [line for line in daemon.log("fill") if line["order_id"] in orders]


def steps_of(daemon, wanted, event):
    """The steps of an explanation once it has come so far."""
    steps = daemon.ask("explain", id=wanted)["steps"]
    return steps if event in [step["event"] for step in steps] else None


def test_a_refused_intent_is_explained_with_the_rule_its_number_and_its_bound(daemon):
    daemon.ask("pause")
    refused = daemon.wait_for(lambda: [line for line in daemon.log("refused") if line["rule"] == "state"])[-1]
    last = daemon.ask("explain", id=refused["wish"]["id"])["steps"][-1]
    assert (last["event"], last["text"]) == ("refused", "risk said no: state")
    assert last["facts"] == [{"name": "state", "value": refused["value"], "bound": "active"}]


def test_events_can_be_followed_and_a_snapshot_taken(daemon):
    shown = obid("ctl", "subscribe", "fill", "--count", "2", "--data-dir", daemon.data_dir).stdout
    assert [line.split(",")[0] for line in shown.splitlines()] == ['{"event": "fill"'] * 2
    assert obid("ctl", "snapshot", "--data-dir", daemon.data_dir).stdout.startswith("{")


@pytest.mark.parametrize("verb", ["status", "ps", "positions", "orders"])
def test_questions_are_answered_for_people_and_for_scripts(daemon, verb):
    assert obid("ctl", verb, "--data-dir", daemon.data_dir).stdout
    assert obid("ctl", verb, "--json", "--data-dir", daemon.data_dir).stdout[0] in "[{"


def test_the_books_can_be_read_while_it_trades(daemon):
    daemon.wait_for(lambda: daemon.log("fill"))
    assert "balanced" in obid("ledger", "trial-balance", "--data-dir", daemon.data_dir).stdout


def test_orders_that_rest_are_taken_back_by_a_cancel_of_all(tmp_path):
    options = ("--symbols", "BTC,ETH", "--bar", "1s", "--speed", "60", "--config", eager(tmp_path, PATIENT))
    with Daemon(tmp_path / "data", *options) as daemon:
        daemon.wait_for(lambda: [row for row in daemon.ask("orders") if row["state"] == "resting"])
        daemon.ask("halt")
        daemon.ask("cancel")
        daemon.wait_for(lambda: not daemon.ask("orders"))
        daemon.end()
        assert daemon.wrongs() == ""
