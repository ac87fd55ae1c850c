"""Contours: the built-in ones, another class, and what is no contour map."""

import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

import numpy as np
import pytest

from tests.unit.masks.drawn_objects import disc_in_grass
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import ConfigError
from weakpan.config.objects import build
from weakpan.data.annotations import ImageAnnotation
from weakpan.masks import Contours, GrabCutAndProposals, LabContours, MaskSource
from weakpan.masks.contours import checked_contours, contour_strength
from weakpan.storage.files import content_digest

MODULE = '''
"""Contours between the bright and the dark, and a grid of which a file tells the step."""
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from weakpan.basics.errors import ConfigError
from weakpan.masks import Contours
from weakpan.storage.files import content_digest

class Bright(Contours):
    def __call__(self, pixels):
        bright = pixels.mean(axis=2) > 128
        edges = np.zeros(bright.shape)
        edges[:, 1:] += bright[:, 1:] != bright[:, :-1]
        edges[1:] += bright[1:] != bright[:-1]
        return cv2.dilate(np.minimum(edges, 1), np.ones((3, 3)))

@dataclass(frozen=True)
class Grid(Contours):
    path: Path

    def __call__(self, pixels):
        step = int(self.path.read_text())
        edges = np.zeros(pixels.shape[:2], np.float32)
        edges[::step] = edges[:, ::step] = 1
        return edges

    def check_files(self):
        if not self.path.is_file():
            raise ConfigError("no such file", key="path", found=self.path)

    def contents(self):
        return {"path": content_digest([self.path])}
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


def built(**contours):
    node = {"_target_": "weakpan.masks.GrabCutAndProposals", "fusion": None, "proposal_weights": None}
    return build(MaskSource, {**node, "contours": contours}, "masks")


def masks(source, image=None):
    drawn, _, box = disc_in_grass()
    image = drawn if image is None else image
    return source.masks(ImageAnnotation("a", *image.shape[:2], (box,), ()), lambda: image, CITYSCAPES)


def test_lab_is_the_default():
    image, _, _ = disc_in_grass()
    assert GrabCutAndProposals().contours == LabContours()
    assert (checked_contours(LabContours(), image) == contour_strength(image)).all()
    assert GrabCutAndProposals().supervision.endswith("without learned boundaries")


def test_segments_follow_a_class_of_the_user(own):
    image, truth, box = disc_in_grass()
    lab, bright = built(_target_="weakpan.masks.LabContours"), built(_target_=f"{own}.Bright")
    # The disc has another hue than its ground and is as dark: to this class all is one segment.
    drawn = np.full_like(image, 90)
    drawn[truth] = (110, 40, 110)
    by_colour, by_brightness = (masks(source, drawn).records[0].proposal_area for source in (lab, bright))
    assert 0.7 * truth.sum() < by_colour < 1.2 * truth.sum() < by_brightness == box.area
    drawn[truth] = 255
    assert 0.9 * truth.sum() < masks(bright, drawn).records[0].proposal_area < 1.1 * truth.sum()


def test_a_class_is_given_its_file(own, tmp_path):
    path = tmp_path / "step.txt"
    path.write_text("7")
    source = built(_target_=f"{own}.Grid", path=str(path))
    assert np.flatnonzero(source.contours(np.zeros((20, 20, 3), np.uint8))[1]).tolist() == [0, 7, 14]
    source.check_files()
    assert source.contents() == {"contours.path": content_digest([path])}
    assert source.supervision.endswith(f"with contours of {own}.Grid and whatever boundaries it has learned from")
    path.unlink()
    with pytest.raises(ConfigError) as caught:
        source.check_files()
    assert (caught.value.key, caught.value.found) == ("contours.path", path)


def test_it_works_in_worker_processes_and_travels_small(own):
    source = GrabCutAndProposals(contours=import_module(own).Bright())
    here = masks(source)
    assert len(pickle.dumps(source)) < 4000
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(masks, source).result(timeout=120)
    assert (there.semantic == here.semantic).all()
    assert there.records == here.records
    assert here.records != masks(GrabCutAndProposals()).records


@pytest.mark.parametrize(
    ("contours", "key"),
    [
        ({"_target_": "nowhere_at_all.Bright"}, "masks.contours._target_"),
        ({"_target_": "OWN.Dark"}, "masks.contours._target_"),
        ({"_target_": "OWN.Bright", "path": "a"}, "masks.contours.path"),
        ({"_target_": "OWN.Grid"}, "masks.contours"),
        ({"_target_": "pathlib.Path"}, "masks.contours"),
        ({}, "masks.contours"),
    ],
)
def test_what_cannot_be_made_is_named(own, contours, key):
    with pytest.raises(ConfigError) as caught:
        built(**{name: value.replace("OWN", own) for name, value in contours.items()})
    assert caught.value.key == key


class Constant(Contours):
    """The same, whatever the pixels are."""

    def __init__(self, values):
        self.values = values

    def __call__(self, pixels):  # noqa: ARG002
        return self.values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((2, 2)), "gave (2, 2) float64 for pixels (6, 8, 3); expected an array of floats, (6, 8)"),
        (np.zeros((6, 8), int), "gave (6, 8) int64"),
        ([[0.0]], "gave a list"),
        (np.full((6, 8), 1.5), "gave values from 1.5 to 1.5; expected 0 to 1"),
        (np.full((6, 8), np.nan), "gave values from nan"),
    ],
)
def test_what_is_no_contour_map_is_named(values, words):
    with pytest.raises(ConfigError) as caught:
        checked_contours(Constant(values), np.zeros((6, 8, 3), np.uint8))
    assert (caught.value.key, caught.value.found) == ("contours", "Constant")
    assert caught.value.what.startswith(words)
