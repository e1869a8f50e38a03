"""The counts of the service, read by Prometheus' own parser and held to its naming rules."""

import re
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.http.metrics import Metrics
from daemon.prometheus import Counter, Histogram
from tests.daemon.http.serving import serving

UNITS = ("_total", "_seconds", "_bytes", "_ratio", "_unfinished", "_open")


def families(text: str) -> dict:
    """What a scraper makes of it."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_a_scraper_reads_what_happened(tmp_path):
    with serving(tmp_path) as service, service.client() as client:
        client.get("/nowhere")
        client.post("/data/generate", json={"duration_seconds": -1})
        client.post("/data/generate", json={"duration_seconds": 10})
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = families(answer.text)
    asked = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for sample in found["aleatoric_http_requests"].samples
    }
    assert asked[("/data/generate", "200")] == asked[("/data/generate", "422")] == asked[("none", "404")] == 1
    assert [sample.value for sample in found["aleatoric_jobs_unfinished"].samples] == [0]
    assert found["aleatoric_artifacts_bytes"].samples[0].value > 1000


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed; the parser has read it")
def test_promtool_has_nothing_to_say(tmp_path):
    with serving(tmp_path) as service, service.client() as client:
        client.post("/data/generate", json={"duration_seconds": 10})
        text = client.get("/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_and_units_are_prometheus_own():
    text = Metrics().text()
    for name, kind in re.findall(r"# TYPE (\S+) (\S+)", text):
        assert re.fullmatch(r"aleatoric_[a-z_]+", name) and name.endswith(UNITS)
        assert (kind == "counter") == name.endswith("_total")
    assert len(re.findall("# HELP", text)) == len(re.findall("# TYPE", text)) == len(families(text))


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb", "ü"])
def test_labels_hold_anything(value: str):
    counter = Counter("x_total", "X.", ("route",))
    counter.add(value, by=12_345_678)
    (sample,) = families("\n".join(counter.lines()) + "\n")["x"].samples
    assert (sample.labels, sample.value) == ({"route": value}, 12_345_678)


def test_a_histogram_adds_up():
    histogram = Histogram("x_seconds", "X.", (), (0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.saw(value)
    samples = families("\n".join(histogram.lines()) + "\n")["x_seconds"].samples
    told = {sample.labels.get("le", sample.name): sample.value for sample in samples}
    assert told == {"0.1": 2, "1.0": 3, "+Inf": 4, "x_seconds_sum": 7.65, "x_seconds_count": 4}
