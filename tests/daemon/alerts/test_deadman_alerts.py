"""What the dead man tells a person: sweeps, what is in their way, nobody to watch; by rules, and over real HTTP."""

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from daemon.alerts.alert import Level
from daemon.deadman_alerts import HELD_UP_NS, NOBODY_NS, UNABLE_NS, DeadmanRules, Seen
from daemon.emulate import address_of
from supervisor.clock import NS_PER_S
from tests.daemon.runs import ROOT
from tests.daemon.test_deadman import DEADMANS, beat, open_orders, rest_hyperliquid, until
from tests.venues.emulator.running import ADDRESS, running

AT = 1_800_000_000_000_000_000
WELL = Seen(venue="alpaca")
SWEEPS = Seen(venue="alpaca", sweeping="the heartbeat is 8.1 s old")
CLEAR = Seen(venue="alpaca", sweeping="the heartbeat is 8.1 s old", clear=True)


def told(rules, seen, at_ns, nobody=""):
    return [(one.level, one.title, one.over) for one in rules.look([seen], nobody, at_ns)]


def test_a_sweep_is_told_when_it_begins_when_it_is_done_and_when_the_daemon_beats_again():
    rules = DeadmanRules(AT)
    assert told(rules, WELL, AT) == []
    assert told(rules, SWEEPS, AT + 1) == [(Level.CRITICAL, "the dead man cancels everything at alpaca", False)]
    assert told(rules, SWEEPS, AT + 2) == [], "once"
    assert told(rules, CLEAR, AT + NS_PER_S) == [(Level.WARNING, "nothing rests at alpaca any more", False)]
    assert told(rules, CLEAR, AT + 2 * HELD_UP_NS) == []
    assert told(rules, WELL, AT + 3 * HELD_UP_NS) == [
        (Level.WARNING, "the daemon beats again: alpaca is left alone", True)
    ]
    assert told(rules, SWEEPS, AT + 4 * HELD_UP_NS) == [
        (Level.CRITICAL, "the dead man cancels everything at alpaca", False)
    ], "the next one is another"


def test_a_sweep_that_is_held_up_asks_for_hands():
    rules = DeadmanRules(AT)
    held = Seen(venue="alpaca", sweeping="gone", trouble="VenueUnreachable: no answer")
    told(rules, held, AT)
    assert told(rules, held, AT + HELD_UP_NS - 1) == []
    (alert,) = rules.look([held], "", AT + HELD_UP_NS)
    assert alert.level is Level.CRITICAL and "CANNOT cancel" in alert.title
    assert "no answer" in alert.text and "by hand" in alert.text
    over = told(rules, Seen(venue="alpaca", sweeping="gone", clear=True), AT + HELD_UP_NS + 1)
    assert [one[2] for one in over] == [True, False], "held up no more, and nothing rests"


def test_who_could_not_cancel_for_a_minute_is_told_and_when_it_could():
    rules, unable = DeadmanRules(AT), Seen(venue="alpaca", unable="alpaca: the key may not cancel")
    assert told(rules, unable, AT) == told(rules, unable, AT + UNABLE_NS - 1) == []
    assert told(rules, WELL, AT + UNABLE_NS - 1) == [], "it was a blip"
    assert told(rules, unable, AT + UNABLE_NS) == []
    assert [one[:2] for one in told(rules, unable, AT + 2 * UNABLE_NS)] == [
        (Level.WARNING, "the dead man could not cancel at alpaca")
    ]
    assert [one[2] for one in told(rules, WELL, AT + 2 * UNABLE_NS + 1)] == [True]


def test_no_heartbeat_at_all_is_told_after_a_minute_and_never_of_a_daemon_that_was_there():
    rules, why = DeadmanRules(AT), "there is no heartbeat"
    assert told(rules, WELL, AT + NOBODY_NS - 1, why) == []
    assert [one[1] for one in told(rules, WELL, AT + NOBODY_NS, why)] == ["the dead man sees no heartbeat at all"]
    assert told(rules, WELL, AT + NOBODY_NS + 1, why) == []
    assert [one[2] for one in told(rules, WELL, AT + NOBODY_NS + 2)] == [True]
    assert told(rules, WELL, AT + 9 * NOBODY_NS) == []


def test_a_stop_in_the_middle_of_a_sweep_is_critical():
    rules = DeadmanRules(AT)
    assert list(rules.ended([], AT)) == []
    (alert,) = rules.ended(["alpaca"], AT)
    assert alert.level is Level.CRITICAL and "before alpaca was clear" in alert.title


# --- the process, over a real webhook


class Webhook:
    """Somebody's phone."""

    def __init__(self):
        self.got, self.statuses = [], []
        hook = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self):
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.got.append(said)
                self.send_response(hook.statuses.pop(0) if hook.statuses else 204)
                self.end_headers()

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks/s3cret-token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def titles(self):
        return [one["title"] for one in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def webhook():
    one = Webhook()
    yield one
    one.close()


def test_the_process_tells_of_its_sweep_and_that_it_is_over(tmp_path, webhook):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with running(("BTC", "ETH"), speed=1.0, accounts=[f"{ADDRESS}:100000:{address_of(DEADMANS)}"]) as venue:
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OBID_HYPERLIQUID_DEADMAN_KEY": DEADMANS,
            "OBID_HYPERLIQUID_MASTER_ADDRESS": ADDRESS,
            "OBID_HYPERLIQUID_CHAIN": "testnet",
            "OBID_HYPERLIQUID_URL": venue.url,
            "OBID_ALERT_URL": webhook.url,
        }
        rest_hyperliquid(venue, 3)
        beat(data, "hyperliquid", ADDRESS)
        webhook.statuses = [500]  # told all the same, a moment later, and nothing waits for it
        command = [sys.executable, "-m", "daemon", "deadman", "--data-dir", str(data)]
        with (tmp_path / "said.txt").open("w") as said:
            process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=said)
        try:
            assert until(lambda: open_orders(venue) == 0)
            assert until(lambda: "nothing rests at hyperliquid any more" in webhook.titles()), webhook.got
            beat(data, "hyperliquid", ADDRESS, age_s=600.0)
            assert until(lambda: len(webhook.got) >= 4), webhook.got
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    begun = "the dead man cancels everything at hyperliquid"
    assert webhook.titles() == [
        *(begun, begun),  # the first was answered 500
        "nothing rests at hyperliquid any more",
        "the daemon beats again: hyperliquid is left alone",
    ]
    first = webhook.got[0]
    assert first["level"] == "critical" and first["who"].startswith("obid deadman ")
    assert "the heartbeat is" in first["text"]
    left = (tmp_path / "said.txt").read_text() + (data / "log" / "deadman.jsonl").read_text()
    assert "s3cret" not in left and "alert_lost" not in left
