"""What top knows: answers, silence, versions; and what the log's file adds."""

import json

import msgspec
import pytest
from msgspec.structs import replace

from daemon import board
from daemon.errors import DaemonAbsent, Failed
from daemon.logs import LEVELS, event_of, open_log
from daemon.top.known import Heard, Known, Scope, Silent, read_snapshot
from daemon.top.poller import Poller
from daemon.top.tail import BYTES_MAX, TOLD, LogTail, last_words
from tests.daemon.top.given import AT_NS, MARKET, NS, SNAPSHOT, STATUS, VERSION, Script, known


def test_decisions_of_overlapping_snapshots_are_told_once():
    made = known()
    first = SNAPSHOT.decisions[0]
    second = replace(first, text="another")
    made.hear(Heard(replace(SNAPSHOT, decisions=(first, second)), AT_NS + NS))
    assert [row.text for row in made.told] == [first.text, "another"]


def test_another_run_begins_with_an_empty_log():
    made = known()
    made.hear(Heard(replace(SNAPSHOT, status=replace(STATUS, run_id="live-7-2"), decisions=()), AT_NS))
    assert not made.told


def test_silence_counts_from_the_last_answer_and_ends_with_the_next():
    made = known()
    made.hear(Silent(False, "gone", AT_NS + 5 * NS, since_ns=AT_NS + 2 * NS))
    made.hear(Silent(False, "gone", AT_NS + 6 * NS, since_ns=AT_NS + 6 * NS))
    assert made.silent_since_ns == AT_NS
    assert made.snapshot is not None
    made.hear(Heard(SNAPSHOT, AT_NS + 7 * NS))
    assert (made.silent, made.silent_since_ns) == (None, 0)


def test_without_any_answer_the_files_tell_since_when():
    made = Known(VERSION)
    made.hear(Silent(False, "gone", AT_NS, since_ns=AT_NS - NS, last_words="it ended: SIGTERM"))
    made.hear(Silent(False, "gone", AT_NS + NS, since_ns=AT_NS + NS))
    assert made.silent_since_ns == AT_NS - NS


def test_it_says_when_versions_differ_and_when_a_daemon_of_the_same_name_is_older():
    assert known().mismatch == ""
    assert "obid 0.0.9" in known(replace(SNAPSHOT, status=replace(STATUS, version="0.0.9"))).mismatch
    assert "older" in known(replace(SNAPSHOT, look=None)).mismatch


def test_an_old_daemons_snapshot_is_read_and_a_newer_ones_unknown_fields_are_passed_over():
    data = msgspec.to_builtins(SNAPSHOT)
    for new in ("look", "troubles"):
        del data[new]
    for row in data["orders"]:
        del row["placed_ns"], row["reprices"]
    data["future"] = {"x": 1}
    assert read_snapshot(data).orders[0].reprices == 0


def test_a_filter_names_a_symbol_only_when_it_is_whole():
    assert Scope("", "").traded(SNAPSHOT) == ""
    assert Scope("", "btc").traded(SNAPSHOT) == "BTC"
    assert Scope("", "b").traded(SNAPSHOT) is None
    both = replace(SNAPSHOT, look=replace(SNAPSHOT.look, markets=(MARKET, replace(MARKET, symbol="btc"))))
    assert Scope("", "Btc").traded(both) is None


# --- asking


def poller(tmp_path, script):
    heard = []
    return Poller(tmp_path, lambda news, lines: heard.append((news, lines)), script.connect), heard


def test_one_connection_serves_as_long_as_it_holds_and_is_made_anew_after(tmp_path):
    script = Script(SNAPSHOT, SNAPSHOT, Failed("the daemon hung up"), SNAPSHOT)
    asker, _ = poller(tmp_path, script)
    news = [asker.ask() for _ in range(4)]
    assert [type(one) for one in news] == [Heard, Heard, Silent, Heard]
    assert news[2].running
    assert (script.connected, script.closed) == (2, 1)


def test_a_daemon_that_speaks_another_language_is_no_crash(tmp_path):
    asker, _ = poller(tmp_path, Script({"status": {"version": 7}}))
    silent = asker.ask()
    assert isinstance(silent, Silent)
    assert "version" in silent.why


def test_an_absent_daemon_is_told_with_its_last_words(tmp_path):
    log = open_log(tmp_path, "r1", lambda: AT_NS)
    log.info("run_started")
    log.info("run_ended", reason="SIGTERM", wrongs=["x rests"])
    log.close()
    silent = poller(tmp_path, Script(DaemonAbsent("none")))[0].ask()
    assert (silent.running, silent.last_words) == (False, "it ended: SIGTERM (x rests)")
    assert silent.since_ns == (tmp_path / "log" / "obid.jsonl").stat().st_mtime_ns


def test_an_order_that_is_not_taken_says_so(tmp_path):
    script, told = Script(SNAPSHOT), []
    asker, _ = poller(tmp_path, script)
    asker._order("pause", {"engine": ""}, lambda text, taken: told.append((text, taken)))
    asker._order("halt", {"engine": ""}, lambda text, taken: told.append((text, taken)))
    assert told == [("pause was NOT taken: no answer within 10 s", False), ("halt is on its way", True)]
    assert script.closed == 2


# --- the log's file


def test_a_log_without_an_end_tells_of_a_kill(tmp_path):
    assert last_words(tmp_path) == (0, "")
    log = open_log(tmp_path, "r1", lambda: AT_NS)
    log.info("run_ended", reason="SIGTERM")
    log.info("run_started")
    log.info("fill")
    log.close()
    assert "killed" in last_words(tmp_path)[1]


def test_the_tail_gives_warnings_once_over_rotations_and_survives_a_missing_log(tmp_path):
    tail = LogTail(tmp_path)
    assert tail.read() == []
    log = open_log(tmp_path, "r1", lambda: AT_NS)
    log.info("fill", symbol="BTC")
    log.warning("venue_says", engine="perps", what="slow")
    log.flush()
    (row,) = tail.read()
    assert (row.at_ns, row.engine, row.event, row.text) == (AT_NS, "perps", "venue_says", "what=slow")
    assert tail.read() == []
    log.warning("second")
    log.close()
    path = tmp_path / "log" / "obid.jsonl"
    path.rename(path.with_name("obid.jsonl.1"))
    path.write_text(json.dumps({"at": "2026-01-01T00:00:00Z", "level": "error", "event": "third"}) + "\n")
    assert [row.event for row in tail.read()] == ["second", "third"]
    tail.close()


def test_of_a_flood_only_the_end_is_read_and_half_a_line_is_none(tmp_path):
    path = tmp_path / "log" / "obid.jsonl"
    path.parent.mkdir()
    line = json.dumps({"at": "2026-01-01T00:00:00Z", "level": "warning", "event": "x", "what": "y" * 1000}) + "\n"
    path.write_text(line * 400)
    tail = LogTail(tmp_path)
    rows = tail.read()
    assert 200 < len(rows) <= BYTES_MAX // len(line)
    with path.open("a") as log:
        log.write(line[:50])
        log.flush()
        assert tail.read() == []
        log.write(line[50:])
    assert len(tail.read()) == 1
    tail.close()


def test_what_the_board_tells_in_its_own_words_is_not_told_twice():
    told = {event_of(kind) for kind in (*board._TELL, *board._TELL_ALL) if kind.__name__ in LEVELS}
    assert told | {"dead_letter"} == TOLD


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b"{}\n", b'{"level":"error","event":"x","at":"soon"}\n', b"[1]\n"])
def test_a_foreign_line_is_passed_over(tmp_path, line):
    path = tmp_path / "log" / "obid.jsonl"
    path.parent.mkdir()
    path.write_bytes(line)
    tail = LogTail(tmp_path)
    assert tail.read() == []
    tail.close()
