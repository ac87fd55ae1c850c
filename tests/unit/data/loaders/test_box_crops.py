"""Windows around boxes for training."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from weakpan.data.annotations import Box, BoxKind
from weakpan.data.loaders.box_crops import BoxDataModule, BoxedImage, BoxWindows, collate_windows, sure_things
from weakpan.data.loaders.box_window import WindowSettings

SETTINGS = WindowSettings(side=48, a_image=5)


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, (60, 90, 3)).astype(np.uint8)


def images():
    return [
        BoxedImage(partial(noise, 0), (Box(3, 10, 10, 49, 39), Box(4, 30, 20, 59, 29))),
        BoxedImage(partial(noise, 1), (Box(3, 5, 5, 9, 9), Box(2, 0, 0, 89, 59, BoxKind.STUFF))),
        BoxedImage(partial(noise, 2), (Box(3, 20, 10, 79, 49),)),
    ]


def test_boxes_say_nothing_outside_things_in_their_middle_and_unknown_between():
    boxes = [
        Box(3, 10, 10, 49, 39), Box(4, 30, 20, 59, 29), Box(4, 60, 0, 89, 9, BoxKind.GROUP),
        Box(2, 0, 0, 89, 59, BoxKind.STUFF),
    ]  # fmt: skip
    things = sure_things((60, 90), boxes, 0.8)
    assert things[50, 5] == 0
    assert things[24, 15:29].tolist() == [1] * 14
    assert things[10, 10] == 255
    # The smaller box is in front: what it does not know is not known.
    assert things[20, 30] == 255
    assert (things[0:10, 60:90] == 255).all()
    assert (things[10:40, 10:30] == 1).mean() == pytest.approx(np.pi / 4 * 0.64 * 1.0, abs=0.05)


def test_images_without_a_large_enough_instance_box_are_left_out():
    data = BoxWindows(images(), SETTINGS, seed=0)
    assert len(data) == 2
    assert data.boxes == 3


def test_items_have_the_promised_form():
    item = BoxWindows(images(), SETTINGS, seed=0)[0, 0]
    shapes = {name: tuple(value.shape) for name, value in item.items()}
    assert shapes == {
        "windows": (5, 3, 48, 48), "coordinates": (5, 5, 48, 48), "things": (5, 48, 48), "front": (5, 48, 48),
        "lab": (5, 3, 48, 48),
    }  # fmt: skip
    assert item["windows"].dtype == item["things"].dtype == torch.uint8
    assert set(item["things"].unique().tolist()) <= {0, 1, 255}
    batch = collate_windows([item, item])
    assert len(batch["windows"]) == 10


def test_items_depend_on_seed_epoch_and_index_alone():
    def item(seed, epoch, index):
        return BoxWindows(images(), SETTINGS, seed)[epoch, index]

    data = BoxWindows(images(), SETTINGS, 7)
    data[3, 0]
    again = data[2, 1]
    assert all(torch.equal(value, again[name]) for name, value in item(7, 2, 1).items())
    for other in (item(8, 2, 1), item(7, 3, 1), item(7, 2, 0)):
        assert not torch.equal(other["windows"], again["windows"])


def test_mirrored_coordinates_are_those_of_the_mirrored_box():
    data = BoxWindows(images(), WindowSettings(side=48, a_image=40), seed=0)
    item = data[0, 1]
    x, inside = item["coordinates"][:, 0], item["coordinates"][:, 3]
    # Mirrored or not, x grows to the right, from below -1 left of the box to above 1 right of it.
    assert (x.diff(dim=2) >= 0).all()
    assert torch.equal((x.abs() <= 1) & (item["coordinates"][:, 1].abs() <= 1), inside == 1)
    # Things lie where the coordinates say that the box is.
    assert (inside[item["things"] == 1] == 1).all()


def test_front_marks_smaller_boxes_only():
    settings = WindowSettings(side=48, a_image=40, most_share=0.6)
    item = BoxWindows(images(), settings, seed=0)[0, 0]
    large = item["coordinates"][:, 4, 0, 0] < 0.8
    assert large.any()
    assert not large.all()
    assert (item["front"][large].flatten(1).sum(1) > 0).all()
    assert (item["front"][~large] == 0).all()


def loader(count, **settings):
    module = BoxDataModule(BoxWindows(images()[:1] * count, WindowSettings(side=48, **settings), seed=3), workers=0)
    module.trainer = SimpleNamespace(global_rank=0, world_size=1)
    return module.train_dataloader()


@pytest.mark.parametrize(
    ("count", "settings", "sizes"),
    [
        (4, {"a_image": 1, "images": 3}, [3]), (5, {"a_image": 1, "images": 3}, [3, 2]),
        (2, {"a_image": 1, "images": 3}, [2]), (4, {"a_image": 2, "images": 3}, [6, 2]),
    ],
)  # fmt: skip
def test_no_batch_is_a_single_window(count, settings, sizes):
    assert [len(batch["windows"]) for batch in loader(count, **settings)] == sizes


def test_loading_takes_nothing_from_the_random_numbers_of_the_training():
    before = torch.random.get_rng_state()
    for _ in loader(3):
        pass
    assert torch.equal(torch.random.get_rng_state(), before)
