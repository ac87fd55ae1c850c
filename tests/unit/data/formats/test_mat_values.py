"""Values in MATLAB files, as SciPy writes them; and damaged ones, which SciPy would not survive."""

import io
import random

import numpy as np
import pytest
import scipy.io

from weakpan.basics.errors import DataError
from weakpan.data.formats.mat_file import read_cells, read_numbers, read_struct, write_variable

STRUCT = {
    "text": "Straße", "empty": "", "number": 3.0, "nothing": np.zeros((0, 0)),
    "inner": {"matrix": np.arange(6.0).reshape(2, 3)},
    "several": np.array([("a", "1"), ("b", "22")], dtype=[("name", object), ("value", object)]),
}  # fmt: skip
CELLS = np.array([np.arange(3.0), np.arange(5, dtype=np.uint8)], dtype=object)


def uncompressed(path, value):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"v": value})
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize("write", [uncompressed, lambda path, value: write_variable(path, "v", value) or path])
def test_structs_come_back(tmp_path, write):
    (found,) = read_struct(write(tmp_path / "a.mat", STRUCT), "v")
    assert list(found) == list(STRUCT)
    assert (found["text"], found["empty"]) == ("Straße", "")
    assert found["number"].item() == 3
    assert found["nothing"].shape == (0, 0)
    np.testing.assert_array_equal(found["inner"][0]["matrix"], STRUCT["inner"]["matrix"])
    assert found["several"] == [{"name": "a", "value": "1"}, {"name": "b", "value": "22"}]


def test_text_of_several_lines_is_refused(tmp_path):
    with pytest.raises(DataError, match="text of several lines"):
        read_struct(uncompressed(tmp_path / "a.mat", {"text": np.array(["ab", "cd"])}), "v")


def test_sparse_matrices_are_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"v\.s is of class sparse"):
        read_struct(uncompressed(tmp_path / "a.mat", {"s": scipy.sparse.eye(3).tocsc()}), "v")


@pytest.mark.parametrize(
    ("value", "read"), [(STRUCT, read_struct), (CELLS, read_cells), (np.ones((4, 5), np.float32), read_numbers)]
)
def test_a_damaged_byte_never_does_worse_than_an_error(tmp_path, value, read):
    path = uncompressed(tmp_path / "a.mat", value)
    content, choose = path.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(content)
        damaged[choose.randrange(128, len(content))] = choose.choice([0, 1, 14, 15, 60, 127, 255])
        path.write_bytes(damaged)
        try:
            read(path, "v")
        except DataError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("read", [read_struct, read_cells])
def test_a_truncated_file_is_an_error(tmp_path, read):
    path = uncompressed(tmp_path / "a.mat", STRUCT if read is read_struct else CELLS)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            read(path, "v")
