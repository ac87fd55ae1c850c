"""Candidates of MCG in MATLAB files: what SciPy wrote is read, and what is damaged or contradicts itself is named."""

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from weakpan.basics.errors import DataError
from weakpan.data.formats.mat_candidates import read_candidates
from weakpan.data.formats.mat_file import read_cells, read_numbers

SUPERPIXELS = np.array([[1, 1, 2], [3, 3, 2]])
LABELS = ([1, 3], [2], [3, 2, 1])
SCORES = (0.5, 0.25, 0.75)


def cells(*entries, dtype=np.uint16):
    """A cell array of columns, as MCG writes it."""
    array = np.empty((len(entries), 1), object)
    for k, entry in enumerate(entries):
        array[k, 0] = entry if isinstance(entry, str) else np.asarray(entry, dtype).reshape(-1, 1)
    return array


def write(path, compressed=True, **changes):
    content = {
        "superpixels": SUPERPIXELS.astype(np.uint16),
        "labels": cells(*LABELS),
        "scores": np.array(SCORES)[:, None],
        "bboxes": np.zeros((1, 4)),
        **changes,
    }
    kept = {name: value for name, value in content.items() if value is not None}
    scipy.io.savemat(path, kept, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint64, np.float32, np.float64])
def test_what_matlab_and_scipy_write_is_read(tmp_path, dtype, compressed):
    path = write(
        tmp_path / "a.mat", compressed, superpixels=SUPERPIXELS.astype(dtype), labels=cells(*LABELS, dtype=dtype)
    )
    found = read_candidates(path, (2, 3))
    assert found.superpixels.tolist() == SUPERPIXELS.tolist()
    assert found.superpixels.flags.c_contiguous
    assert [found.superpixels_of(k).tolist() for k in range(len(found))] == [list(entry) for entry in LABELS]
    assert tuple(found.scores) == SCORES


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=9), max_size=6), st.booleans())
def test_any_candidates_come_back(tmp_path_factory, labels, compressed):
    path = write(
        tmp_path_factory.mktemp("mat") / "a.mat", compressed, superpixels=np.arange(1.0, 7).reshape(2, 3),
        labels=cells(*labels), scores=np.arange(float(len(labels)))[None],
    )  # fmt: skip
    found = read_candidates(path, (2, 3))
    assert [found.superpixels_of(k).tolist() for k in range(len(found))] == labels
    assert [entry.ravel().tolist() for entry in read_cells(path, "labels")] == labels


def test_ids_may_have_gaps(tmp_path):
    path = write(tmp_path / "a.mat", superpixels=np.array([[1, 1, 6], [4, 4, 6]]), labels=cells([4, 6], [1], [6]))
    assert read_candidates(path, (2, 3)).superpixels_of(0).tolist() == [4, 6]


WRONG = {
    "labels{2} names superpixel 9, which does not exist": {"labels": cells([1], [2, 9], [3])},
    "labels{3} names superpixel 0, which": {"labels": cells([1], [2], [0])},
    "labels{1} names superpixel 1.5, which": {"labels": cells([2, 1.5], [2], [3], dtype=float)},
    "labels{2} names superpixel nan, which": {"labels": cells([2], [np.nan], [3], dtype=float)},
    "labels{2} names superpixel 2, which does not exist; `superpixels` has ids from 1 to 5": {
        "superpixels": np.array([[1, 1, 3], [3, 3, 5]])
    },
    "labels{2} names no superpixel": {"labels": cells([1], [], [3])},
    "labels{2} is of class char": {"labels": cells([1], "2", [3])},
    "labels is of class double": {"labels": np.ones((3, 1))},
    "no variable 'labels'": {"labels": None},
    "no variable 'superpixels' in it; found 'labels', 'scores', 'bboxes'": {"superpixels": None},
    "superpixels is 3 x 2, its image has 2 x 3": {"superpixels": SUPERPIXELS.T},
    "superpixels holds values from 0 to 2; expected ids from 1": {"superpixels": SUPERPIXELS - 1},
    "superpixels holds values from 1 to 70": {"superpixels": np.where(SUPERPIXELS == 3, 70, SUPERPIXELS)},
    "superpixels holds values from nan": {"superpixels": np.where(SUPERPIXELS == 3, np.nan, SUPERPIXELS)},
    "superpixels holds fractions": {"superpixels": SUPERPIXELS + 0.5},
    "superpixels is of class char": {"superpixels": "street"},
    "superpixels holds complex numbers": {"superpixels": SUPERPIXELS + 1j},
    "2 scores of 3 candidates": {"scores": np.ones((2, 1))},
    "scores holds NaN": {"scores": np.array([1, np.nan, 1])},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_contradicts_itself_is_named(tmp_path, message):
    path = write(tmp_path / "street.mat", **WRONG[message])
    with pytest.raises(DataError) as caught:
        read_candidates(path, (2, 3))
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_missing_and_a_truncated_file_are_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.mat: no such file"):
        read_candidates(tmp_path / "gone.mat", (2, 3))
    for compressed in (True, False):
        path = write(tmp_path / "street.mat", compressed)
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(DataError, match=r"street\.mat: a damaged or truncated MATLAB file"):
            read_numbers(path, "bboxes")


def candidates_or_message(path):
    try:
        return read_candidates(path, (2, 3))
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("compressed", [True, False])
def test_every_changed_byte_is_named_or_gives_sound_candidates(tmp_path, compressed):
    path = write(tmp_path / "street.mat", compressed)
    sound, named = path.read_bytes(), 0
    for at in range(128, len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 :])
        found = candidates_or_message(path)
        if isinstance(found, str):
            assert found.startswith(f"{path}: ")
            named += 1
        else:
            # An uncompressed file has no checksum, so that a changed number may go unseen, but not an unknown id.
            assert np.isin(found.members, found.superpixels).all()
    assert named > len(sound) / 4
