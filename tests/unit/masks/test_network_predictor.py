"""Mask network: outputs, file, and masks in the boxes of an image."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import DataError
from weakpan.data.annotations import Box, BoxKind, ImageAnnotation
from weakpan.data.loaders.box_window import Window
from weakpan.masks.network import NetworkMasks
from weakpan.masks.network_predictor import NetworkPredictor, read_mask_net, write_mask_net
from weakpan.models.mask_net import COORDINATES, MaskNet

ENCODER = "mobilenetv3_small_050"
BOXES = (Box(3, 10, 10, 49, 39), Box(2, 0, 0, 89, 59, BoxKind.STUFF), Box(3, 60, 5, 79, 54), Box(4, 0, 0, 0, 0))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return MaskNet(ENCODER, channels=16).eval()


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)


def test_outputs_are_at_a_quarter_of_the_window(network):
    output = network(torch.rand(2, 3, 64, 64), torch.zeros(2, 5, 64, 64))
    assert output.thing.shape == output.mask.shape == (2, 1, 16, 16)


def test_appearance_does_not_know_where_the_box_is(network):
    windows = torch.rand(1, 3, 64, 64)
    first, second = network(windows, torch.zeros(1, 5, 64, 64)), network(windows, torch.ones(1, 5, 64, 64))
    assert torch.equal(first.thing, second.thing)
    assert not torch.allclose(first.mask, second.mask)


def test_every_instance_box_has_probabilities(network, image):
    found = NetworkPredictor(network, 64, (0.5, 0.7)).probabilities(image, BOXES)
    assert {index: values.shape for index, values in found.items()} == {0: (30, 40), 2: (50, 20), 3: (1, 1)}
    assert all((values >= 0).all() and (values <= 1).all() for values in found.values())


def test_mirror_image_has_mirrored_masks(network, image):
    predictor = NetworkPredictor(network, 64, (0.5, 0.7))
    here = predictor.probabilities(image, BOXES)
    mirrored_boxes = [replace(box, xmin=89 - box.xmax, xmax=89 - box.xmin) for box in BOXES]
    there = predictor.probabilities(np.ascontiguousarray(image[:, ::-1]), mirrored_boxes)
    assert all(np.abs(there[index][:, ::-1] - values).max() < 0.02 for index, values in here.items())


def test_file_keeps_the_network(tmp_path, network, image):
    path = tmp_path / "mask_net.pt"
    write_mask_net(path, network, {"encoder": ENCODER, "channels": 16}, 64, (0.5, 0.7), {"boxes": 3})
    before = NetworkPredictor(network, 64, (0.5, 0.7)).probabilities(image, BOXES)
    after = read_mask_net(path).probabilities(image, BOXES)
    assert all((after[index] == values).all() for index, values in before.items())


def test_source_asks_the_network_and_leaves_the_threads_alone(tmp_path, network, image):
    path = tmp_path / "mask_net.pt"
    write_mask_net(path, network, {"encoder": ENCODER, "channels": 16}, 64, (0.5, 0.7), {})
    annotation = ImageAnnotation("a", 60, 90, BOXES, ())
    threads = torch.get_num_threads()
    first, second = (NetworkMasks(path=path).masks(annotation, lambda: image, CITYSCAPES) for _ in range(2))
    assert torch.get_num_threads() == threads
    assert (first.semantic == second.semantic).all()
    probabilities = read_mask_net(path).probabilities(image, BOXES)
    assert [r.network_area for r in first.records] == [
        int((probabilities[r.index] >= 0.5).sum()) for r in first.records
    ]
    with pytest.raises(DataError, match="60 x 90 pixels"):
        NetworkMasks(path=path).masks(replace(annotation, width=80), lambda: image, CITYSCAPES)


def test_unusable_files_are_named(tmp_path, network):
    missing, damaged, other, wrong = (tmp_path / name for name in ("missing.pt", "damaged.pt", "other.pt", "wrong.pt"))
    damaged.write_bytes(b"no network")
    torch.save({"state_dict": {}}, other)
    write_mask_net(wrong, network, {"encoder": ENCODER, "channels": 32}, 64, (0.5, 0.7), {})
    for path, words in ((missing, "no such file"), (damaged, "not a readable"), (other, "version"), (wrong, "not fit")):
        with pytest.raises(DataError, match=f"{path.name}.*{words}.*stage=mask_net"):
            read_mask_net(path)


def test_a_file_without_one_of_its_parts_is_named(tmp_path, network):
    path = tmp_path / "part.pt"
    write_mask_net(path, network, {"encoder": ENCODER, "channels": 16}, 64, (0.5, 0.7), {})
    content = torch.load(path, weights_only=True)
    for part in ("network", "side", "shares", "note", "state_dict"):
        torch.save({name: value for name, value in content.items() if name != part}, path)
        with pytest.raises(DataError, match=rf"part\.pt: a part of the file is missing or wrong \(KeyError\('{part}'"):
            read_mask_net(path)


def test_reading_a_network_takes_no_random_numbers(tmp_path, network):
    path = tmp_path / "mask_net.pt"
    write_mask_net(path, network, {"encoder": ENCODER, "channels": 16}, 64, (0.5, 0.7), {"boxes": 3})
    before = torch.get_rng_state()
    assert read_mask_net(path).note == {"boxes": 3}
    assert torch.equal(torch.get_rng_state(), before)


def test_another_network_under_the_same_path_is_noticed(tmp_path, network, image):
    path, annotation = tmp_path / "mask_net.pt", ImageAnnotation("a", 60, 90, BOXES, ())
    seen = []
    for bias in (-9.0, 9.0):
        other = MaskNet(ENCODER, channels=16)
        other.load_state_dict(network.state_dict())
        torch.nn.init.constant_(other.mask_head[-1].bias, bias)
        write_mask_net(path, other, {"encoder": ENCODER, "channels": 16}, 64, (0.5,), {})
        seen.append(NetworkMasks(path=path).masks(annotation, lambda: image, CITYSCAPES).records[0].network_area)
    assert seen[0] < seen[1]


def test_scales_are_averaged(network, image):
    near, far, both = (
        NetworkPredictor(network, 64, shares).probabilities(image, BOXES) for shares in ((0.7,), (0.4,), (0.7, 0.4))
    )
    assert all(both[index] == pytest.approx((near[index] + far[index]) / 2, abs=1e-6) for index in both)
    assert not np.allclose(near[0], far[0])


def test_coordinates_are_as_many_as_the_network_takes():
    assert len(Window.around(BOXES[0], 32, 0.6).coordinates(BOXES[0])) == COORDINATES
