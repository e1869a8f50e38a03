"""The log: what a line holds, what it never holds, and that no input, disk or size stops it."""

import json
import logging
import threading
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import MacroWindow
from daemon import log_file, logs
from daemon.log_file import Keep, LogFile
from daemon.log_lines import RESERVED
from daemon.logs import Log, open_log
from risk.intent import Cancel, Check, Refused
from supervisor.messages import GaveUp
from venues.market import Fill, Side

START_NS = 1_767_225_600_000_000_005  # 2026-01-01T00:00:00.000000005Z
FILL = Fill("perps", "f1", "0xabc", "BTC", Side.BUY, 12, 640_001, -3, True, 7)


class Clock:
    def __init__(self) -> None:
        self.at_ns = START_NS

    def __call__(self) -> int:
        self.at_ns += 1_000_000_000
        return self.at_ns - 1_000_000_000


@pytest.fixture
def log(tmp_path: Path):
    log = open_log(tmp_path, "r1", Clock())
    yield log
    log.close()


def lines(log: Log) -> list[dict]:
    log.flush()
    return [json.loads(line, parse_constant=pytest.fail) for line in log.file.path.read_bytes().splitlines()]


def test_a_line_opens_with_the_envelope(log):
    log.info("run_started", mode="synthetic", seed=7)
    log.info("nothing_to_add")
    first, second = lines(log)
    assert list(first) == ["run", "seq", "at", "level", "event", "mode", "seed", "crc"]
    assert first["at"] == "2026-01-01T00:00:00.000000005Z"
    assert second == {
        "run": "r1",
        "seq": 2,
        "at": "2026-01-01T00:00:01.000000005Z",
        "level": "info",
        "event": "nothing_to_add",
        "crc": second["crc"],
    }


def test_a_message_is_its_fields(log):
    log.log_message(FILL)
    (line,) = lines(log)
    assert line["event"] == "fill"
    assert msgspec.convert({k: v for k, v in line.items() if k not in RESERVED}, Fill) == FILL


def test_nested_messages_keep_their_shape(log):
    wish = Cancel(engine="perps", intent_id="i", order_id="o", symbol="BTC", reason="halt", at_ns=1)
    refused = Refused("perps", wish, "net_cap", "210", "200", 5)
    log.log_message(refused)
    (line,) = lines(log)
    assert line["event"] == "refused"
    assert (line["rule"], line["value"], line["bound"]) == ("net_cap", "210", "200")
    assert line["wish"]["symbol"] == "BTC"


def test_fields_never_replace_the_envelope(log):
    log.log_message(MacroWindow(True, "CPI", 9, False, 5))
    log.info("odd", seq=9, run="x", crc=1)
    first, second = lines(log)
    assert (first["event"], first["event_"], first["seq"]) == ("macro_window", "CPI", 1)
    assert (second["seq"], second["seq_"], second["run"], second["run_"]) == (2, 9, "r1", "x")
    assert second["crc_"] == 1


def test_every_value_becomes_json(log):
    class Colour(StrEnum):
        RED = "red"

    log.info(
        "values",
        nan=float("nan"),
        inf=float("inf"),
        decimal=Decimal("0.10"),
        enum=Colour.RED,
        check=Check("r", "1", "2"),
        big=2**80,
        path=Path("/x"),
        text='quote " and \n line',
    )
    (line,) = lines(log)
    assert line["nan"] is None
    assert line["inf"] is None
    assert line["decimal"] == "0.10"
    assert line["enum"] == "red"
    assert line["check"] == {"rule": "r", "value": "1", "bound": "2"}
    assert line["big"] in (2**80, str(2**80))
    assert "/x" in line["path"]
    assert line["text"] == 'quote " and \n line'


@pytest.mark.parametrize("bad", [{(1, 2): 3, None: object()}, "\ud800", [[[]]]])
def test_no_value_stops_the_log(log, bad):
    log.info("odd", bad=bad)
    log.info("next")
    assert [line["event"] for line in lines(log)] == ["odd", "next"]


def test_a_deep_value_does_not_stop_the_log(log):
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    log.info("deep", deep=deep)
    assert lines(log)[0]["event"] == "deep"


def test_secrets_go_by_name_and_by_value(log):
    log.secrets.add('sk-live/Ünique"42')
    log.info(
        "settings", api_key="abc", nested={"ALPACA_SECRET_KEY": "def", "deep": [{"password": "ghi"}]}, seed=7, key="BTC"
    )
    log.info("settings", nested={"ALPACA_SECRET_KEY": "def"})
    log.info("request", url='https://x/?apikey=sk-live/Ünique"42&b', again="sk-live%2F%C3%9Cnique%2242")
    log.log_message(GaveUp("root", 'sk-live/Ünique"42', 5, 5.0, 1))
    text = json.dumps(lines(log), ensure_ascii=False)
    for leak in ("abc", "def", "ghi", "sk-live", "nique"):
        assert leak not in text
    assert '"seed": 7' in text
    assert '"key": "BTC"' in text


def test_a_short_secret_is_refused_without_being_shown(log):
    with pytest.raises(ValueError, match="6 characters") as caught:
        log.secrets.add("hunter")
    assert "hunter" not in str(caught.value)


def test_a_struct_with_a_secret_field_is_masked(log):
    class Login(msgspec.Struct):
        user: str
        password: str

    class Connected(msgspec.Struct):
        login: Login | None

    log.log_message(Connected(Login("me", "hunter22")))
    (line,) = lines(log)
    assert line["login"] == {"user": "me", "password": "***"}


def test_a_traceback_has_no_locals(log):
    def fail() -> None:
        canary = "canary-" + "value"
        raise RuntimeError(f"broke at {len(canary)}")

    try:
        fail()
    except RuntimeError as error:
        log.exception("crashed", child="feed")
        log.error("crashed", exc_info=error)
    text = json.dumps(lines(log))
    assert "canary-value" not in text
    for line in lines(log):
        (exception,) = line["exception"]
        assert exception["exc_type"] == "RuntimeError"
        assert exception["frames"][-1]["name"] == "fail"
        assert line["level"] == "error"


def test_information_waits_and_warnings_do_not(log):
    log.info("waits")
    assert log.file.path.read_bytes() == b""
    log.warning("now")
    assert log.file.path.read_bytes().count(b"\n") == 2
    log.log_message(GaveUp("root", "feed", 5, 5.0, 1))
    assert log.file.path.read_bytes().count(b"\n") == 3


def test_many_lines_do_not_wait_for_the_timer(log):
    for number in range(logs.LINES_BUFFERED_MAX):
        log.info("tick", number=number)
    assert log.file.path.read_bytes().count(b"\n") == logs.LINES_BUFFERED_MAX


def test_levels(tmp_path: Path):
    log = open_log(tmp_path, "r1", Clock(), "warning")
    log.info("no")
    log.log_message(FILL)
    log.log_message(FILL, "error")
    log.warning("yes")
    assert [(line["event"], line["level"]) for line in lines(log)] == [("fill", "error"), ("yes", "warning")]
    assert lines(log)[-1]["seq"] == 2
    log.close()


def test_bound_context(log):
    log.speaker.bind(engine="perps").info("x", symbol="BTC")
    assert lines(log)[0]["engine"] == "perps"


def test_a_line_is_bounded(log):
    log.info("huge", text="x" * 2 * logs.LINE_BYTES_MAX)
    (line,) = lines(log)
    assert line["cut_bytes"] > logs.LINE_BYTES_MAX


def test_files_rotate_and_are_the_owners_alone(tmp_path: Path):
    file = LogFile(tmp_path / "log" / "obid.jsonl", Keep(file_bytes_max=2_000, files=2))
    log = Log(file, "r1", Clock())
    for number in range(200):
        log.info("tick", number=number)
        log.flush()
    log.close()
    names = sorted(path.name for path in file.path.parent.iterdir())
    assert names == ["obid.jsonl", "obid.jsonl.1", "obid.jsonl.2"]
    assert all(path.stat().st_size <= 2_000 for path in file.path.parent.iterdir())
    text = b"".join((file.path.parent / name).read_bytes() for name in reversed(names))
    numbers = [json.loads(line)["number"] for line in text.splitlines()]
    assert numbers == list(range(numbers[0], 200))
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def days_logged(path: Path) -> list[list[str]]:
    """The days that stand in each file, the current one first."""
    files = sorted(path.parent.iterdir(), key=lambda file: int(file.suffix[1:]) if file.suffix[1:].isdigit() else 0)
    return [sorted({json.loads(line)["at"][:10] for line in file.read_bytes().splitlines()}) for file in files]


def test_a_file_holds_a_day_however_little_that_is(tmp_path: Path):
    hours = iter(range(0, 1_000, 5))
    path = tmp_path / "log" / "obid.jsonl"
    for _restart in range(3):
        log = Log(LogFile(path, Keep(files=3)), "r1", lambda: START_NS + next(hours) * 3_600_000_000_000)
        for _ in range(12):
            log.warning("tick")
        log.close()
    held = days_logged(path)
    assert len(held) == 4
    assert all(len(days) <= 2 for days in held), held
    assert held[0][-1] >= held[1][-1] >= held[2][-1] >= held[3][-1]


def test_rotated_files_take_no_more_room_than_they_may(tmp_path: Path):
    path = tmp_path / "log" / "obid.jsonl"
    log = Log(LogFile(path, Keep(file_bytes_max=1_000, bytes_max=2_500)), "r1", Clock())
    for number in range(100):
        log.warning("tick", number=number)
    log.close()
    sizes = [file.stat().st_size for file in path.parent.iterdir() if file != path]
    assert sum(sizes) <= 2_500 and len(sizes) == 2


def test_a_full_disk_is_survived_and_told(log, monkeypatch):
    real = log_file.os.write

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log_file.os, "write", full)
    log.warning("early")
    assert log.file.error == "No space left on device"
    monkeypatch.setattr(log_file, "BUFFER_BYTES_MAX", 1_000)
    for number in range(50):
        log.warning("tick", number=number)
    monkeypatch.setattr(log_file.os, "write", real)
    log.warning("late")
    found = lines(log)
    assert found[-1]["event"] == "log_lines_lost"
    assert found[-1]["lines"] + len(found) == log.lines
    assert log.file.error == ""


def test_a_short_write_is_finished(log, monkeypatch):
    real = log_file.os.write
    monkeypatch.setattr(log_file.os, "write", lambda file, data: real(file, data[:10]))
    log.warning("first", text="x" * 100)
    monkeypatch.setattr(log_file.os, "write", real)
    log.warning("second")
    assert [line["event"] for line in lines(log)] == ["first", "second"]


def test_libraries_speak_here_too(log):
    handler = log.capture_stdlib()
    try:
        logging.getLogger("somewhere").warning("lost %s", "it")
        logging.getLogger("somewhere").info("chatter")
    finally:
        logging.getLogger().removeHandler(handler)
    (line,) = lines(log)
    assert (line["event"], line["logger"], line["message"]) == ("library", "somewhere", "lost it")


def test_two_threads_do_not_mix_lines(log):
    def speak(name: str) -> None:
        for number in range(500):
            log.info("tick", thread=name, number=number)

    threads = [threading.Thread(target=speak, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line["seq"] for line in lines(log)] == list(range(1, 1001))


@given(
    st.dictionaries(
        st.text(max_size=8), st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=4), max_size=4
    )
)
def test_any_fields_give_one_valid_line(tmp_path_factory, fields):
    log = open_log(tmp_path_factory.mktemp("log"), "r1", Clock())
    log.write_event("info", "any", {name: value for name, value in fields.items() if name != "exc_info"}, {})
    (line,) = lines(log)
    log.close()
    assert line["event"] == "any"
