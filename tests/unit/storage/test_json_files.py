"""One reader of JSON files: types are held to, and what is wrong is named with its place."""

import json
import math

import pytest

from weakpan.basics.errors import DataError
from weakpan.storage.json_files import Document, WholeNumber, read_json, write_json


class Corner(Document):
    name: str
    at: tuple[WholeNumber, WholeNumber]


class Shape(Document):
    closed: bool
    corners: tuple[Corner, ...] = ()
    width: float | str = 1.0


GOOD = {"closed": True, "corners": [{"name": "a", "at": [1, 2]}, {"name": "b", "at": [3, 4]}]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shape.json"


def read(path):
    return read_json(path, Shape, "draw it again")


def test_what_is_written_comes_back(path):
    write_json(path, GOOD)
    found = read(path)
    assert (found.closed, found.width) == (True, 1.0)
    assert [(corner.name, corner.at) for corner in found.corners] == [("a", (1, 2)), ("b", (3, 4))]


def test_unknown_keys_are_passed_over(path):
    write_json(path, {**GOOD, "painter": "me"})
    assert read(path).closed is True


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_of_other_systems(path, encoding):
    mark = "\ufeff" if encoding.startswith("utf-16-") else ""
    path.write_text(
        mark + json.dumps({**GOOD, "corners": [{"name": "Straße", "at": [1, 2]}]}, ensure_ascii=False), encoding
    )
    assert read(path).corners[0].name == "Straße"


def test_whole_numbers_may_have_a_point(path):
    write_json(path, {"closed": False, "corners": [{"name": "a", "at": [1.0, 2]}]})
    assert read(path).corners[0].at == (1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"closed": "false"}, 'closed is "false"; expected a valid boolean'),
        ({"closed": 0}, "closed is 0; expected a valid boolean"),
        ({"corners": {}}, "corners is {}; expected a valid array"),
        ({"corners": [{"at": [1, 2]}]}, "corners[0].name is missing"),
        ({"corners": [{"name": "b", "at": [1]}]}, "corners[0].at[1] (b) is missing"),
        ({"corners": [{"name": "b", "at": [1, 2.5]}]}, "corners[0].at[1] (b) is 2.5; expected a valid integer"),
        ({"corners": [{"name": "b", "at": [1, "2"]}]}, 'corners[0].at[1] (b) is "2"; expected a valid integer'),
        ({"width": None}, "width is null; expected"),
        ({"corners": ["x" * 200]}, f'corners[0] is "{"x" * 76}...; expected an object'),
    ],
)
def test_the_place_and_what_is_expected(path, change, message):
    write_json(path, {**GOOD, **change})
    with pytest.raises(DataError) as caught:
        read(path)
    assert message in caught.value.what
    assert (caught.value.path, caught.value.remedy) == (path, "draw it again")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"nothing", b"\xff\xfea", b"[" * 10**6, b'{"a":' * 10**5])
def test_what_is_no_json(path, text):
    path.write_bytes(text)
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.what.startswith("not readable")
    assert caught.value.path == path
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_another_kind_of_document(path, text):
    path.write_text(text)
    with pytest.raises(DataError, match=f"the whole file is {text[:2]}".replace("[", r"\[")):
        read(path)


def test_a_missing_file(path):
    with pytest.raises(DataError) as caught:
        read(path)
    assert (caught.value.what, caught.value.path) == ("no such file", path)


def test_a_folder(tmp_path):
    with pytest.raises(DataError, match="not readable"):
        read(tmp_path)


def test_numbers_that_json_does_not_know(path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"closed": math.nan})
    assert not list(path.parent.iterdir())
