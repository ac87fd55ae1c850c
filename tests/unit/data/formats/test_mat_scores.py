"""Score maps in MATLAB files: what is written comes back, also for SciPy, and what is damaged is named."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from weakpan.basics.errors import DataError
from weakpan.data.formats.mat_scores import read_mat_scores, write_mat_scores

DATA = Path(os.environ.get("WEAKPAN_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
RELEASED = DATA / "released_sample/results/pred_flat_feat/aachen_000000_000019_leftImg8bit.mat"


@pytest.fixture
def scores():
    return np.random.default_rng(0).random((5, 7), np.float32)


def by_scipy(values, compressed=True, **others):
    content = io.BytesIO()
    scipy.io.savemat(content, {**others, "feat": values}, do_compression=compressed)
    return content.getvalue()


def by_hand(order, kind, stored, values):
    """An uncompressed file as another machine, or MATLAB with its packed whole numbers, writes it."""
    flags = struct.pack(f"{order}4I", 6, 8, 6, 0)  # a double
    shape = struct.pack(f"{order}2I2i", 5, 8, *values.shape)
    name = struct.pack(f"{order}2I8s", 1, 4, b"feat")
    data = values.astype(f"{order}{stored}").tobytes(order="F")
    data = struct.pack(f"{order}2I", kind, len(data)) + data + bytes(-len(data) % 8)
    content = flags + shape + name + data
    mark = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    return b"MATLAB 5.0".ljust(124) + mark + struct.pack(f"{order}2I", 14, len(content)) + content


MAPS = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2),
    elements=st.floats(0, 1, width=32),
)


@settings(max_examples=40, deadline=None)
@given(values=MAPS)
def test_what_is_written_comes_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    write_mat_scores(path, values)
    found = read_mat_scores(path, values.shape)
    np.testing.assert_array_equal(found, values.astype(np.float32))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


def test_scipy_reads_what_is_written(tmp_path, scores):
    write_mat_scores(tmp_path / "a.mat", scores.astype(np.float64))
    found = scipy.io.loadmat(tmp_path / "a.mat")["feat"]
    np.testing.assert_array_equal(found, scores)
    assert found.dtype == np.float32


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_scipy_writes_is_read(tmp_path, scores, compressed, dtype):
    other = {"first": {"a": "b"}, "feature": np.zeros((2, 2))}
    (tmp_path / "a.mat").write_bytes(by_scipy(scores.astype(dtype), compressed, **other))
    found = read_mat_scores(tmp_path / "a.mat", (5, 7))
    np.testing.assert_array_equal(found, scores)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "stored"), [(9, "f8"), (2, "u1")])
def test_all_byte_orders_and_packed_whole_numbers_are_read(tmp_path, order, kind, stored):
    values = np.array([[0, 1, 1], [1, 0, 0]])
    (tmp_path / "a.mat").write_bytes(by_hand(order, kind, stored, values))
    np.testing.assert_array_equal(read_mat_scores(tmp_path / "a.mat", (2, 3)), values)


def test_rounding_above_1_is_cut_off(tmp_path):
    (tmp_path / "a.mat").write_bytes(
        by_scipy(np.array([[np.nextafter(np.float32(1), np.float32(2)), 0.5]], np.float32))
    )
    assert read_mat_scores(tmp_path / "a.mat", (1, 2)).tolist() == [[1, 0.5]]


@pytest.mark.parametrize("share", [0, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_truncated_file_is_named(tmp_path, scores, share, compressed):
    content = by_scipy(scores, compressed)
    (tmp_path / "cut.mat").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"cut\.mat.*truncated.*write it again"):
        read_mat_scores(tmp_path / "cut.mat", (5, 7))


def test_a_changed_byte_is_found_by_the_checksum(tmp_path, scores):
    path = tmp_path / "bad.mat"
    write_mat_scores(path, scores)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.mat.*damaged"):
        read_mat_scores(path, (5, 7))


@pytest.mark.parametrize("position", range(128, 180))
def test_a_damaged_structure_never_does_worse_than_an_error(tmp_path, scores, position):
    content = bytearray(by_scipy(scores, compressed=False))
    content[position] ^= 0x9D
    (tmp_path / "bad.mat").write_bytes(content)
    try:
        found = read_mat_scores(tmp_path / "bad.mat", (5, 7))
    except DataError as error:
        found = error
    assert "bad.mat" in str(found) if isinstance(found, DataError) else found.shape == (5, 7)


def test_a_size_within_the_packed_bytes_is_not_believed(tmp_path, scores):
    content = by_scipy(scores, compressed=False)
    claim = content[128:132] + struct.pack("<I", 2**32 - 9) + content[136:]
    packed = zlib.compress(claim)
    (tmp_path / "a.mat").write_bytes(content[:128] + struct.pack("<2I", 15, len(packed)) + packed)
    np.testing.assert_array_equal(read_mat_scores(tmp_path / "a.mat", (5, 7)), scores)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"no MATLAB file at all" * 20, "not a MATLAB file"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n", "save it with -v7 in MATLAB"),
        (b"\x89HDF\r\n\x1a\n".ljust(600), "save it with -v7 in MATLAB"),
        (b"MATLAB 5.0".ljust(124) + b"\x00\x01IM", "no variable 'feat' in it; found none"),
    ],
)
def test_what_is_no_such_file_is_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "thing.mat").write_bytes(content)
    with pytest.raises(DataError, match=rf"thing\.mat: .*{message}"):
        read_mat_scores(tmp_path / "thing.mat", (5, 7))


def test_a_missing_variable_is_named_with_those_that_are_there(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"prob": np.zeros((2, 2)), "map": np.zeros((2, 2))})
    with pytest.raises(DataError, match=r"no variable 'feat' in it; found 'prob', 'map'"):
        read_mat_scores(tmp_path / "a.mat", (2, 2))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((7, 5)), "feat is 7 x 5, its image has 5 x 7"),
        (np.zeros((5, 7, 2)), "feat is 5 x 7 x 2"),
        (np.zeros((0, 0)), "feat is 0 x 0"),
        (np.zeros((5, 7), np.uint8), "feat is of class uint8; expected single or double"),
        (np.zeros((5, 7), complex), "feat holds complex numbers"),
        ("text", "feat is of class char"),
        ({"a": 1}, "feat is of class struct"),
        (np.full((5, 7), 2.0), "feat holds values from 2 to 2; expected the softmax maximum, 0 to 1"),
        (np.full((5, 7), -0.5), "feat holds values from -0.5 to -0.5"),
        (np.where(np.arange(35).reshape(5, 7) == 9, np.nan, 0.5), "feat holds NaN"),
    ],
)
def test_what_are_no_scores_is_named(tmp_path, values, message):
    scipy.io.savemat(tmp_path / "a.mat", {"feat": values})
    with pytest.raises(DataError, match=rf"a\.mat: {message}"):
        read_mat_scores(tmp_path / "a.mat", (5, 7))


@pytest.mark.parametrize("values", [np.full((2, 2), np.nan), np.full((2, 2), 1.5), np.zeros(3), np.zeros((2, 2), int)])
def test_what_are_no_scores_is_not_written(tmp_path, values):
    with pytest.raises(DataError, match=r"a\.mat: scores"):
        write_mat_scores(tmp_path / "a.mat", values)
    assert not (tmp_path / "a.mat").exists()


@pytest.mark.skipif(not RELEASED.is_file(), reason="the released frame is not there (set WEAKPAN_DATA)")
def test_the_released_scores_are_read_and_written(tmp_path):
    found = read_mat_scores(RELEASED, (1024, 2048))
    np.testing.assert_array_equal(found, scipy.io.loadmat(RELEASED)["feat"])
    write_mat_scores(tmp_path / "a.mat", found)
    np.testing.assert_array_equal(read_mat_scores(tmp_path / "a.mat", (1024, 2048)), found)
