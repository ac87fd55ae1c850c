"""Contours by name: the built-in ones, a class of the user's, and what cannot be one."""

import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest

from tests.unit.masks.drawn_objects import disc_in_grass
from weakpan.basics.errors import ConfigError
from weakpan.config.masks import MasksConfig
from weakpan.data.annotations import ImageAnnotation
from weakpan.masks.box_masks import MaskSettings, masks_in_boxes
from weakpan.masks.contours import contour_strength, load_contours
from weakpan.masks.source import GrabCutAndProposals

MODULE = '''
"""Contours between the bright and the dark, a grid of which a file tells the step, and some mistakes."""
import cv2
import numpy as np

class Bright:
    def __call__(self, pixels):
        bright = pixels.mean(axis=2) > 128
        edges = np.zeros(bright.shape)
        edges[:, 1:] += bright[:, 1:] != bright[:, :-1]
        edges[1:] += bright[1:] != bright[:-1]
        return cv2.dilate(np.minimum(edges, 1), np.ones((3, 3)))

class Grid:
    def __init__(self, path):
        self.step = int(path.read_text())
    def __call__(self, pixels):
        edges = np.zeros(pixels.shape[:2], np.float32)
        edges[::self.step] = edges[:, ::self.step] = 1
        return edges

class Mute:
    pass

class Small:
    def __call__(self, pixels):
        return np.zeros((2, 2))

class Whole:
    def __call__(self, pixels):
        return np.zeros(pixels.shape[:2], int)

class Loud:
    def __call__(self, pixels):
        return np.full(pixels.shape[:2], 1.5)

class Unsure:
    def __call__(self, pixels):
        return np.full(pixels.shape[:2], np.nan)

class Listed:
    def __call__(self, pixels):
        return [[0.0]]

number = 3
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Name of a module of the user's."""
    # Python keeps a module by its name, so that every test has one of its own.
    name = f"own_contours_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def masks(source):
    image, _, box = disc_in_grass()
    return source.masks(ImageAnnotation("a", *image.shape[:2], (box,), ()), lambda: image)


def test_lab_is_the_default_and_changes_nothing():
    image, _, box = disc_in_grass()
    assert MaskSettings().contours == "lab"
    assert load_contours("lab") is contour_strength
    plain, named = (masks_in_boxes(image, [box], s) for s in (MaskSettings(), MaskSettings(contours="lab")))
    assert (plain.semantic == named.semantic).all()


def test_segments_follow_a_class_of_the_user(own):
    image, truth, box = disc_in_grass()
    settings = MaskSettings(combine="both", rule="published")
    bright = replace(settings, contours=f"{own}.Bright")
    assert load_contours(bright.contours)(np.zeros((4, 5, 3), np.uint8)).dtype == np.float32
    # The disc has another hue than its ground and is as dark: to this class all is one segment.
    drawn = np.full_like(image, 90)
    drawn[truth] = (110, 40, 110)
    by_colour, by_brightness = (masks_in_boxes(drawn, [box], s).records[0].proposal_area for s in (settings, bright))
    assert 0.7 * truth.sum() < by_colour < 1.2 * truth.sum() < by_brightness == box.area
    drawn[truth] = 255
    assert 0.9 * truth.sum() < masks_in_boxes(drawn, [box], bright).records[0].proposal_area < 1.1 * truth.sum()


def test_a_class_is_given_its_file(own, tmp_path):
    (tmp_path / "step.txt").write_text("7")
    contours = load_contours(f"{own}.Grid", str(tmp_path / "step.txt"))
    assert np.flatnonzero(contours(np.zeros((20, 20, 3), np.uint8))[1]).tolist() == [0, 7, 14]
    assert load_contours(f"{own}.Grid", str(tmp_path / "step.txt")) is contours


def test_it_works_in_worker_processes_and_travels_small(own):
    source = GrabCutAndProposals(MaskSettings(contours=f"{own}.Bright"))
    here = masks(source)
    assert len(pickle.dumps(source)) < 4000
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(masks, source).result(timeout=120)
    assert (there.semantic == here.semantic).all()
    assert there.records == here.records
    assert here.records != masks(GrabCutAndProposals()).records


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("best", "masks.dials.contours='best': expected lab, or a class"),
        ("", "masks.dials.contours='': expected lab"),
        ("own..Bright", "expected lab"),
        ("os.system('x')", "expected lab"),
    ],
)
def test_what_names_no_class_is_refused_with_the_settings(name, words):
    with pytest.raises(ConfigError) as caught:
        MaskSettings(contours=name)
    assert words in str(caught.value)


def test_what_cannot_be_made_is_named(own, tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("no number")
    (tmp_path / f"{own}_broken.py").write_text("1 / 0")
    for name, path, words in (
        ("nowhere_at_all.Bright", None, "module nowhere_at_all cannot be imported (ModuleNotFoundError"),
        (f"{own}_broken.Bright", None, f"module {own}_broken cannot be imported (ZeroDivisionError"),
        (f"{own}.Dark", None, f"found nothing called Dark in {own}; expected a class"),
        (f"{own}.number", None, f"found an object of int called number in {own}; expected a class"),
        (f"{own}.Mute", None, "its objects cannot be called"),
        (f"{own}.Grid", None, "Grid() failed (TypeError: "),
        (f"{own}.Bright", file, "that takes the path of masks.dials.contours_file"),
        (f"{own}.Grid", file, "failed (ValueError: "),
        (f"{own}.Grid", tmp_path / "gone", "gone: no such file"),
        ("lab", file, "masks.dials.contours=lab: a file belongs to a class of yours"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_contours(name, None if path is None else str(path))
        assert words in str(caught.value)
        assert str(caught.value).startswith("masks.dials.contours")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Small", "gave (2, 2) float64 for pixels (6, 8, 3); expected an array of floats, (6, 8)"),
        ("Whole", "gave (6, 8) int64"),
        ("Listed", "gave a list"),
        ("Loud", "gave values from 1.5 to 1.5; expected 0 to 1"),
        ("Unsure", "gave values from nan"),
    ],
)
def test_what_is_no_contour_map_is_named(own, name, words):
    with pytest.raises(ConfigError) as caught:
        load_contours(f"{own}.{name}")(np.zeros((6, 8, 3), np.uint8))
    assert str(caught.value).startswith(f"masks.dials.contours={own}.{name}: {words}")


def test_the_configuration_makes_contours_first_and_says_what_they_know(own, tmp_path):
    config = MasksConfig(dials=MaskSettings(contours=f"{own}.Bright"))
    assert config.supervision.endswith(f"with contours of {own}.Bright and whatever boundaries it has learned from")
    assert MasksConfig().supervision.endswith("without learned boundaries")
    assert config.source(None).settings.contours == f"{own}.Bright"
    with pytest.raises(ConfigError, match="found nothing called Dark"):
        MasksConfig(dials=MaskSettings(contours=f"{own}.Dark")).source(None)
    with pytest.raises(ConfigError, match=r"masks\.kind=mcg with masks\.dials\.contours=.*leave them out"):
        MasksConfig(kind="mcg", path=str(tmp_path), dials=config.dials)
