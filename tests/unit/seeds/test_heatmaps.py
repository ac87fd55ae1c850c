"""Heatmaps on disk: what comes back, and what is refused."""

import io

import numpy as np
import pytest

from weakpan.basics.catalog import CITYSCAPES, TOY_CITY
from weakpan.basics.errors import DataError
from weakpan.seeds.heatmaps import CamHeatmaps, HeatmapFolder, half_size, in_steps

SIZE, CROP = (7, 10), (5, 6)


def made(classes=(0, 2), size=SIZE):
    rng = np.random.default_rng(4)
    shape = (len(classes), *half_size(size))
    values = [rng.random(shape).astype(np.float32) * 10 for _ in range(2)]
    (positive, up), (negative, down) = (in_steps(v) for v in values)
    return CamHeatmaps(size, CROP, classes, positive, negative, up, down, values[0].max(axis=(1, 2))), values


@pytest.fixture
def folder(tmp_path):
    return HeatmapFolder(tmp_path / "maps", TOY_CITY)


def test_rounding_is_off_by_half_a_step_at_most():
    kept, (positive, negative) = made()
    half = 0.501 * (kept.positive_step + kept.negative_step)[:, None, None]
    assert (np.abs(kept.speaks_for() - positive) <= 0.501 * kept.positive_step[:, None, None]).all()
    assert (np.abs(kept.signed() - (positive - negative)) <= half).all()
    assert kept.positive.max(axis=(1, 2)).tolist() == [255, 255]
    np.testing.assert_allclose(255 * kept.positive_step, positive.max(axis=(1, 2)), rtol=1e-6)


def test_a_class_that_nothing_speaks_for_stays_at_zero():
    faint = np.full((1, 2, 2), 1e-44, np.float32)
    for values in (np.zeros((2, 3, 4), np.float32), faint, np.zeros((0, 3, 4), np.float32)):
        steps, step = in_steps(values)
        assert steps.shape == values.shape
        assert steps.dtype == np.uint8
        assert not (steps * step[:, None, None]).any()


def test_heatmaps_come_back(folder):
    kept, _ = made()
    assert not folder.has("a.b")
    folder.write("a.b", kept)
    assert folder.has("a.b")
    found = folder.read("a.b")
    assert (found.size, found.crop, found.classes) == (SIZE, CROP, (0, 2))
    np.testing.assert_array_equal(found.signed(), kept.signed())
    np.testing.assert_array_equal(found.peaks, kept.peaks)
    np.testing.assert_array_equal(found.only([2]).signed(), kept.signed()[1:])
    before = folder.path("a.b").read_bytes()
    folder.write("a.b", kept)
    assert folder.path("a.b").read_bytes() == before
    assert [p.name for p in folder.folder.iterdir()] == ["a.b.npz"]


def test_an_image_without_tags_has_none(folder):
    kept, _ = made(classes=())
    folder.write("a", kept)
    assert folder.read("a").signed().shape == (0, 4, 5)


def changed(folder, **changes):
    """Write a good file with some arrays replaced, or left out where None."""
    folder.write("a", made()[0])
    with np.load(folder.path("a")) as archive:
        arrays = {**{name: archive[name] for name in archive.files}, **changes}
    np.savez(folder.path("a"), **{name: values for name, values in arrays.items() if values is not None})


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"positive": None}, "holds classes, .*, expected classes, "),
        ({"extra": np.zeros(1)}, "holds .*extra"),
        ({"version": np.array(1), "crop": None}, "version 1, this weakpan reads version 2"),
        ({"positive": np.zeros((2, 4, 5), np.uint16)}, "positive has 3 dimensions of uint16, expected 3 of uint8"),
        ({"negative": np.zeros((2, 4, 6), np.uint8)}, r"negative has shape \(2, 4, 6\), expected \(2, 4, 5\)"),
        ({"size": np.array([70, 10])}, r"positive has shape .*, expected \(2, 35, 5\)"),
        ({"size": np.array([0, 10])}, "size .* expected height and width"),
        ({"crop": np.array([5])}, "crop .* expected height and width"),
        ({"crop": None}, "holds classes, .*, expected classes, crop, "),
        ({"positive_step": np.array([1, np.nan], np.float32)}, "positive_step is .* expected 2 finite numbers"),
        ({"negative_step": np.array([1, -1], np.float32)}, "negative_step is .* expected 2 finite numbers"),
        ({"peaks": np.array([1, np.inf], np.float32)}, "peaks is .* expected 2 finite numbers"),
        ({"peaks": np.zeros(3, np.float32)}, "peaks is .* expected 2 finite numbers"),
        ({"classes": np.array(["road", "ghost"])}, "class 'ghost' is not in class table 'toy_city'"),
        ({"classes": np.array(["road", "road"])}, "expected each once"),
        ({"classes": np.array([0, 1])}, "classes has 1 dimensions of int64, expected 1 of str"),
        ({"classes": np.array(["road", None], object)}, "not readable"),
    ],
)
def test_what_is_not_as_documented_is_refused_by_name(folder, changes, part):
    changed(folder, **changes)
    with pytest.raises(DataError, match=rf"a\.npz: .*{part}"):
        folder.read("a")
    assert not folder.has("a")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(folder, keep):
    folder.write("a", made()[0])
    content = folder.path("a").read_bytes()
    folder.path("a").write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(DataError, match=r"a\.npz: not readable"):
        folder.read("a")


def test_flipped_bytes_and_other_formats_are_refused(folder):
    folder.write("a", made()[0])
    content = bytearray(folder.path("a").read_bytes())
    at = content.index(b"positive.npy") + 60
    content[at : at + 8] = bytes(b ^ 0xFF for b in content[at : at + 8])
    folder.path("a").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"a\.npz: not readable"):
        folder.read("a")
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    folder.path("a").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"a\.npz"):
        folder.read("a")


def test_missing_files_other_tables_and_ids_that_lead_out(folder):
    with pytest.raises(DataError, match=r"a\.npz: no such heatmaps; make them with seeds\.keep_heatmaps=true"):
        folder.read("a")
    for image_id in ("../a", "a/b", "", ".."):
        with pytest.raises(DataError, match="no plain file name"):
            folder.write(image_id, made()[0])
    folder.write("a", made()[0])
    other = HeatmapFolder(folder.folder, CITYSCAPES).read("a")
    assert [CITYSCAPES.names[k] for k in other.classes] == [TOY_CITY.names[k] for k in (0, 2)]
