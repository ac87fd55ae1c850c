"""Seeds from candidate sets: learned from tags and boxes, within what they leave, the same for the same seed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.unit.labels.label_cases import catalog_of
from weakpan.basics.errors import ConfigError
from weakpan.config.objects import build
from weakpan.data.annotations import Box, ImageAnnotation, WeakAnnotations
from weakpan.data.candidates import whole_image_sets
from weakpan.data.crops import CropGrid
from weakpan.seeds import SeedJob, SeedSource, SetSeeds
from weakpan.seeds.set_learning import Cells, unsatisfied_tags

COLORS = np.array([(200, 40, 40), (40, 180, 60), (60, 60, 220), (220, 220, 60)])
CATALOG = catalog_of(False, False, False, True)
GRID = CropGrid(48, 40)
SMALL = SetSeeds(encoder="test_resnet", side=96, cell=4, steps=80, batch_size=4, lr=1e-2)


def scenes(count=12):
    """Sky over ground with a wall between, and a thing; images and true classes."""
    rng = np.random.default_rng(0)
    images, truth, annotations = {}, {}, {}
    for number in range(count):
        name, labels = f"i{number}", np.zeros((96, 128), np.uint8)
        labels[rng.integers(30, 70) :] = 1
        left = int(rng.integers(0, 100))
        labels[rng.integers(20, 40) : 60, left : left + int(rng.integers(6, 60))] = 2
        y, x = rng.integers(0, 60, 2)
        labels[y : y + 24, x : x + 30] = 3
        noise = rng.normal(0, 25, (96, 128, 3))
        images[name] = np.clip(COLORS[labels] + noise, 0, 255).astype(np.uint8)
        box = Box(3, int(x), int(y), int(x) + 29, int(y) + 23)
        annotations[name] = ImageAnnotation(name, 96, 128, (box,), GRID.tags(labels))
        truth[name] = labels
    return images, truth, WeakAnnotations(CATALOG, GRID, annotations)


def made(source, masks=None, todo=None):
    """Maps of a source, and the true ones."""
    images, truth, weak = scenes()
    written = {}
    source.make(
        SeedJob(
            images=SimpleNamespace(image=images.__getitem__),
            annotations=weak,
            ids=list(images),
            todo=list(images) if todo is None else todo,
            write=written.__setitem__,
            each_image=None,
            masks=masks,
            heatmaps=None,
            trainer=lambda *_: SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu"))),
            extra=None,
            workers=1,
            seed=0,
        )
    )
    return written, truth, weak


@pytest.fixture(scope="module")
def learned():
    _, truth, _ = scenes()

    def masks(image_id):
        return np.where(truth[image_id] == 3, 3, 254).astype(np.uint8)

    return made(SMALL, masks)


def test_most_pixels_are_right_and_none_is_what_it_cannot_be(learned):
    written, truth, weak = learned
    right = np.mean([(written[name] == truth[name]).mean() for name in truth])
    assert right > 0.85
    for name, labels in written.items():
        assert labels.dtype == np.uint8
        sets = whole_image_sets(weak.images[name], GRID, CATALOG)
        of_class = np.minimum(labels, 3)
        assert (sets.table[sets.index, of_class] | (labels == 255)).all()


def test_things_are_those_of_the_masks(learned):
    written, truth, _ = learned
    for name, labels in written.items():
        found = (labels == 3) & (truth[name] != 3)
        assert not found.any()
        assert (labels == 3).sum() > 0.9 * (truth[name] == 3).sum()


def test_it_beats_the_same_features_without_tags_that_have_to_be_satisfied(learned):
    """The wall is rare: sets alone leave it out where ground or sky may be."""
    written, truth, _ = learned
    walls = [
        ((written[n] == 2) & (truth[n] == 2)).sum() / (truth[n] == 2).sum() for n in truth if (truth[n] == 2).any()
    ]
    assert np.mean(walls) > 0.6


def test_the_same_seed_gives_the_same_maps_for_any_part_of_the_images(learned):
    written, truth, _ = learned

    def masks(image_id):
        return np.where(truth[image_id] == 3, 3, 254).astype(np.uint8)

    again, _, _ = made(SMALL, masks, todo=["i3", "i7"])
    assert set(again) == {"i3", "i7"}
    for name, labels in again.items():
        np.testing.assert_array_equal(labels, written[name])


def test_a_high_threshold_labels_less(caplog):
    few, _, _ = made(SetSeeds(encoder="test_resnet", side=96, cell=4, steps=20, images=5, threshold=0.99), todo=["i0"])
    many, _, _ = made(SetSeeds(encoder="test_resnet", side=96, cell=4, steps=20, images=5, threshold=0.0), todo=["i0"])
    assert (few["i0"] == 255).mean() > (many["i0"] == 255).mean()
    assert "features of random weights tell little" in caplog.text


def test_unsatisfied_tags_are_counted_by_class():
    class Says(torch.nn.Module):
        def forward(self, features):
            return features

    logits = torch.tensor([[9.0, 0, 0, 0], [0, 9, 0, 0], [0, 9, 0, 0], [9, 0, 0, 0]])
    inside = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    required = torch.tensor([[True, True, True, False], [False, True, True, False]])
    cells = Cells(logits, torch.ones(4, 4, dtype=torch.bool), inside, required)
    assert unsatisfied_tags(Says(), [cells], torch.device("cpu")) == [0, 0, 1, 0]
    cells.allowed[2, 1] = False  # now the second crop has none
    assert unsatisfied_tags(Says(), [cells], torch.device("cpu")) == [0, 0.5, 1, 0]


@pytest.mark.parametrize(("change", "key"), [({"cell": 0}, "seeds.cell"), ({"tag_share": 1.0}, "seeds.tag_share")])
def test_a_value_out_of_range_is_named_by_its_full_key(change, key):
    with pytest.raises(ConfigError) as caught:
        build(SeedSource, {"_target_": "weakpan.seeds.SetSeeds", **change}, "seeds")
    assert caught.value.key == key
