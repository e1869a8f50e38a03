"""Sources of a calendar against a server on loopback: answers, refusals, the file that keeps them, no key anywhere."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from supervisor.clock import NS_PER_S, Clock
from venues.calendars.ask import Unanswered
from venues.calendars.fmp import read_releases, read_reports
from venues.calendars.fred import RELEASES
from venues.calendars.sources import fmp_releases, fmp_reports, fred_releases
from venues.market import Release

HOUR = 3600 * NS_PER_S
KEY = SecretStr("k3y-that-nobody-may-see")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


NOW = at("2026-11-20 12:00:00")
CPI = {"date": "2026-12-10 13:30:00", "country": "US", "event": "CPI MoM (Nov)", "change": None, "impact": "High"}


class Server:
    """What a publisher answers, and what it was asked."""

    def __init__(self):
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: object = []
        self.status = 200
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                server.asked.append((parts.path, query))
                answer = server.answer(query) if callable(server.answer) else server.answer
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()
    made.thread.join()


class At(Clock):
    """A clock that says what it is told: sockets need real time, the calendar another day."""

    def __init__(self, at_ns):
        self.at_ns = at_ns

    def now_ns(self):
        return self.at_ns

    async def in_thread(self, work):
        return work()


async def test_an_answer_is_kept_for_six_hours_and_asked_again_after(server, tmp_path):
    server.answer = [CPI, CPI, {**CPI, "country": "KE"}, {**CPI, "event": "Cleveland CPI MoM"}]
    clock = At(NOW)
    first = await fmp_releases(KEY, tmp_path, clock, server.url).read()
    assert first.releases == (Release(at("2026-12-10 13:30:00"), "CPI"),)
    assert (first.source, first.kind, first.read_ns, first.failure) == ("fmp", "releases", NOW, "")
    assert first.from_ns <= NOW < first.until_ns
    ((path, query),) = server.asked
    assert (path, query["from"], query["to"]) == ("/economic-calendar", "2026-11-19", "2027-01-19")

    clock.at_ns = NOW + 6 * HOUR - 1
    again = await fmp_releases(KEY, tmp_path, clock, server.url).read()
    assert (again.releases, again.read_ns, again.at_ns) == (first.releases, NOW, clock.at_ns)
    assert len(server.asked) == 1, "a restart asks nobody"
    clock.at_ns = NOW + 6 * HOUR
    assert (await fmp_releases(KEY, tmp_path, clock, server.url).read()).read_ns == clock.at_ns
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "answer", "declined", "said"),
    [
        (402, b"Restricted Endpoint: not available under your current subscription", True, "402"),
        (401, {"Error Message": "Invalid API KEY."}, True, "401"),
        (403, b"", True, "403"),
        (200, {"Error Message": "Restricted Endpoint: ..."}, True, "plan"),
        (200, {"Error Message": "Limit Reach"}, False, "Limit Reach"),
        (500, b"oops", False, "500"),
        (429, b"", False, "429"),
        (200, b"<html>", False, "<html>"),
        (302, b"", False, "302"),
        (200, [{"date": "2026-12-10", "country": "US", "event": "CPI MoM"}], False, "YYYY"),
        (200, [{"country": "US"}], False, "date"),
    ],
)
async def test_what_is_no_answer_is_told_and_not_raised(server, tmp_path, status, answer, declined, said):
    server.status, server.answer = status, answer
    found = await fmp_releases(KEY, tmp_path, At(NOW), server.url).read()
    assert said in found.failure
    assert found.declined is declined
    assert (found.releases, found.until_ns) == ((), 0)
    assert not list(tmp_path.iterdir()), "nothing is kept"


async def test_nobody_there_is_told_without_the_key(server, tmp_path):
    server.http.shutdown()
    server.http.server_close()
    found = await fmp_releases(KEY, tmp_path, At(NOW), server.url).read()
    assert "could not be reached" in found.failure
    assert KEY.get_secret_value() not in str(found)


async def test_an_answer_that_repeats_the_key_does_not_spread_it(server, tmp_path):
    server.status, server.answer = 401, {"error": f"{KEY.get_secret_value()} is no key"}
    found = await fmp_releases(KEY, tmp_path, At(NOW), server.url).read()
    assert "is no key" in found.failure
    assert KEY.get_secret_value() not in str(found)


async def test_a_damaged_file_is_as_if_there_were_none(server, tmp_path):
    server.answer = [CPI]
    (tmp_path / "fmp-releases.json").write_bytes(b'{"source": "fm')
    assert (await fmp_releases(KEY, tmp_path, At(NOW), server.url).read()).releases
    assert (await fmp_releases(KEY, tmp_path, At(NOW + 1), server.url).read()).releases
    assert len(server.asked) == 1


async def test_reports_are_those_of_our_companies(server, tmp_path):
    server.answer = [
        {"symbol": "NKE", "date": "2026-12-18", "epsEstimated": None},
        {"symbol": "ZZZ", "date": "2026-12-18"},
    ]
    found = await fmp_reports(KEY, frozenset({"NKE", "TSLA"}), tmp_path, At(NOW), server.url).read()
    (report,) = found.reports
    assert report.ticker == "NKE"
    assert (report.from_ns, report.until_ns) == (at("2026-12-18 09:00:00"), at("2026-12-21 15:00:00")), "over a weekend"
    assert found.tickers == {"NKE", "TSLA"}


async def test_fred_is_asked_release_by_release_and_covers_nothing(server, tmp_path):
    def answer(query):
        return {"release_dates": [{"release_id": int(query["release_id"]), "date": "2026-12-10"}]}

    server.answer = answer
    found = await fred_releases(KEY, tmp_path, At(NOW), server.url).read()
    assert {release.name for release in found.releases} == set(RELEASES)
    assert {release.at_ns for release in found.releases} == {at("2026-12-10 13:30:00")}
    assert (found.from_ns, found.until_ns) == (0, 0), "it has no FOMC"
    assert all(query["include_release_dates_with_no_data"] == "true" for _, query in server.asked)


async def test_fred_in_summer_is_an_hour_earlier_in_utc(server, tmp_path):
    server.answer = lambda query: {"release_dates": [{"release_id": int(query["release_id"]), "date": "2026-07-14"}]}
    found = await fred_releases(KEY, tmp_path, At(at("2026-07-01 00:00:00")), server.url).read()
    assert {release.at_ns for release in found.releases} == {at("2026-07-14 12:30:00")}


async def test_fred_that_answers_for_another_release_is_not_believed(server, tmp_path):
    server.answer = {"release_dates": [{"release_id": 10, "date": "2026-12-10"}]}
    assert "asked for release" in (await fred_releases(KEY, tmp_path, At(NOW), server.url).read()).failure


def test_times_are_utc_and_the_benchmark_revision_is_no_print():
    rows = [
        {"date": "2024-03-29 12:30:00", "country": "US", "event": "PCE Price Index MoM (Feb)"},
        {"date": "2024-08-21 14:00:00", "country": "US", "event": "Non Farm Payrolls (Mar)"},
        {"date": "2024-08-21 18:00:00", "country": "US", "event": "Non Farm Payrolls (Mar)"},
        {"date": "2025-11-20 13:30:00", "country": "US", "event": "Non Farm Payrolls (Sep)"},
    ]
    found = read_releases(json.dumps(rows).encode())
    assert Release(at("2024-03-29 12:30:00"), "PCE") in found
    assert Release(at("2025-11-20 13:30:00"), "NFP") in found, "a Thursday: no rule of first Fridays"
    assert [r.at_ns for r in found if r.name == "NFP"] == [at("2025-11-20 13:30:00")]


def test_a_list_is_wanted():
    with pytest.raises(Unanswered):
        read_reports(b"{}", frozenset({"NKE"}))
    assert read_reports(b"[]", frozenset({"NKE"})) == ()
