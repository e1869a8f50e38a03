"""The pictures of the documentation: small, complete, of nobody's machine; and how their texts are parted."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.soak.pictures import BYTES_MAX, TEXT, keep, parted

DOCS = Path(__file__).resolve().parents[3] / "docs"
PICTURES = sorted((DOCS / "pictures").glob("*.svg"))
NAMES = {"top-80x24", "top-120x40", "top-flatten", "top-wrong", "run", "report"}


def test_all_of_them_are_there():
    assert {path.stem for path in PICTURES} == NAMES


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_whole_small_and_fetches_nothing(path):
    text = path.read_text()
    assert len(text.encode()) <= BYTES_MAX
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert not re.search(r"href=|src=|url\((?!#)|@import|@font-face", text)
    assert not re.search(r"/home/|/root|/tmp|/Users/", text)


def test_a_text_is_parted_at_wide_blanks_and_each_part_stays_where_it_was():
    whole = (
        '<text class="r" x="10" y="20" textLength="90" clip-path="url(#l)">&#160;a&#160;b&#160;&#160;&lt;c&gt;</text>'
    )
    assert TEXT.sub(parted, whole) == (
        '<text class="r" x="20.0" y="20" textLength="30.0" clip-path="url(#l)">a&#160;b</text>'
        '<text class="r" x="70.0" y="20" textLength="30.0" clip-path="url(#l)">&lt;c&gt;</text>'
    )


def test_a_picture_with_a_path_of_this_machine_is_not_kept(tmp_path):
    with pytest.raises(AssertionError, match="this machine's"):
        keep(tmp_path / "x.svg", f"<svg>{Path.cwd()}</svg>")
