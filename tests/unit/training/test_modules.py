"""The LightningModules: what they train and what they predict."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from weakpan.basics.catalog import TOY_CITY
from weakpan.models.crop_classifier import CropClassifier
from weakpan.models.decode import PanopticDecoder
from weakpan.models.panoptic_net import PanopticNet, PanopticOutput
from weakpan.training.classifier_module import ClassifierModule
from weakpan.training.losses import (
    CandidateSets,
    CentreHeatmap,
    CentreOffsets,
    CrossEntropy,
    Presence,
    TagCrossEntropy,
)
from weakpan.training.segmenter_module import SegmenterModule

pytestmark = pytest.mark.usefixtures("seeded")

CLASSES = TOY_CITY.num_classes
CAR = TOY_CITY.train_id_named("car")


ADAMW = partial(torch.optim.AdamW, lr=1e-3)


def terms():
    return {
        "semantic": CrossEntropy(class_balance=0.5), "candidates": CandidateSets(), "presence": Presence(0.6),
        "centre": CentreHeatmap(100), "offset": CentreOffsets(0.02), "auxiliary": CrossEntropy(0.4, of="auxiliary"),
    }  # fmt: skip


def segmenter(network=None, losses=None, **more):
    network = network or PanopticNet(CLASSES, "test_resnet", channels=16)
    return SegmenterModule(network, losses or terms(), ADAMW, PanopticDecoder(), TOY_CITY, **more)


def classifier(network=None, **more):
    network = network or CropClassifier(CLASSES, "test_resnet")
    return ClassifierModule(network, {"tags": TagCrossEntropy()}, ADAMW, **more)


class Painted(nn.Module):
    """Says what it is told, mirrored when its image is mirrored: a stand-in whose output is known."""

    def __init__(self, semantic, centre, offset):
        super().__init__()
        self.maps = semantic, centre, offset

    def forward(self, images):
        semantic, centre, offset = self.maps
        if images[0, 0, 0, 0] < images[0, 0, 0, -1]:  # the left edge is bright in the photograph as it is
            semantic, centre = semantic.flip(-1), centre.flip(-1)
            offset = offset.flip(-1) * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)
        return PanopticOutput(semantic, centre, offset)


def painted_maps(height=8, width=12):
    semantic = torch.zeros(1, CLASSES, height, width)
    semantic[:, 0] = 5.0
    semantic[0, CAR, 2:6, 1:5] = 12.0
    centre = torch.zeros(1, 1, height, width)
    centre[0, 0, 4, 3] = 1.0
    grid = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")).float()
    offset = torch.tensor([4.0, 3.0]).view(2, 1, 1) - grid
    return semantic, centre, offset[None]


def photograph(height=8, width=12):
    image = torch.zeros(1, 3, height, width, dtype=torch.uint8)
    image[..., 0] = 255
    return image


@pytest.mark.parametrize("flip", [False, True])
def test_averaging_with_the_mirror_image_changes_nothing_for_a_symmetric_network(flip):
    module = segmenter(Painted(*painted_maps()), flip_average=flip).eval()
    found = module._predict_maps(photograph())
    for one, expected in zip(found, painted_maps(), strict=True):
        torch.testing.assert_close(one, expected)


def test_a_prediction_has_the_size_of_the_photograph():
    module = segmenter(Painted(*painted_maps()), flip_average=True).eval()
    found = module.predict_step({"image_id": "x", "image": photograph(), "size": (32, 48)}, 0)
    assert found.image_id == "x"
    assert found.semantic.shape == found.score.shape == found.panoptic.ids.shape == (32, 48)
    assert (found.semantic.dtype, found.score.dtype) == (np.uint8, np.float32)
    assert set(np.unique(found.semantic).tolist()) == {0, CAR}
    assert 0 < found.score.min() <= found.score.max() <= 1
    # One car, made of the car's pixels: offsets grew with the image.
    assert [s.class_id for s in found.panoptic.segments] == [CAR, 0]
    np.testing.assert_array_equal(found.panoptic.ids == 1, found.semantic == CAR)


def training_batch():
    semantic = torch.full((2, 32, 48), 255)
    semantic[0, :16] = 1
    return {
        "image": torch.randint(0, 255, (2, 3, 32, 48), dtype=torch.uint8),
        "semantic": semantic,
        "centre": torch.zeros(2, 32, 48),
        "centre_known": torch.ones(2, 32, 48, dtype=torch.bool),
        "offset": torch.zeros(2, 2, 32, 48),
        "offset_known": torch.zeros(2, 32, 48, dtype=torch.bool),
        "set_index": torch.zeros(2, 32, 48, dtype=torch.int64),
        "set_table": torch.ones(1, CLASSES, dtype=torch.bool),
        "present_view": torch.tensor([0, 1]),
        "present_areas": torch.tensor([[0, 0, 32, 24], [4, 8, 20, 40]]),
        "present_classes": torch.eye(2, CLASSES, dtype=torch.bool),
        "present_is_box": torch.tensor([False, True]),
    }


def batch_norm_state(module):
    state = module.network.encoder.state_dict()
    return {k: v.clone() for k, v in state.items() if "running" in k or "tracked" in k}


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_batch_norm_stays_frozen_after_train(frozen):
    module = segmenter(frozen_batch_norm=frozen)
    module.eval().train()
    norms = [m for m in module.network.encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {m.training for m in norms} == {not frozen}
    assert {p.requires_grad for m in norms for p in m.parameters()} == {not frozen}
    assert module.network.semantic_head[1].training  # dropout
    before = batch_norm_state(module)
    module.log = lambda *_, **__: None
    module.training_step(training_batch(), 0).backward()
    after = batch_norm_state(module)
    assert all(torch.equal(after[k], before[k]) for k in before) == frozen


def test_a_step_logs_every_part_of_the_loss():
    module, logged = segmenter().train(), {}
    module.log = lambda name, value, **_: logged.update({name: value.item()})
    total = module.training_step(training_batch(), 0)
    names = ("semantic", "candidates", "presence", "centre", "offset", "total")
    assert set(logged) == {f"segmenter/loss_{name}" for name in names}
    assert logged["segmenter/loss_total"] == pytest.approx(total.item())


def test_the_classifier_learns_tags_and_predicts_them():
    module = classifier()
    logged = {}
    module.log = lambda name, value, **_: logged.update({name: value.item()})
    crops = torch.randint(0, 255, (3, 3, 32, 48), dtype=torch.uint8)
    batch = {"image_id": ["x"], "crops": crops, "tags": torch.rand(3, CLASSES) > 0.5}
    loss = module.training_step(batch, 0)
    assert logged == {f"classifier/loss_{name}": pytest.approx(loss.item()) for name in ("tags", "total")}
    found = module.eval().predict_step(batch, 0)
    assert set(found) == {"image_id", "logits", "tags"}
    assert found["logits"].shape == (3, CLASSES)
    torch.testing.assert_close(found["logits"], module.network(crops.float() / 255))


def test_training_crops_are_shown_at_random_scales():
    module = classifier(scales=[0.5, 2.0])
    seen = []
    module.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    module.log = lambda *_, **__: None
    batch = {"crops": torch.zeros(1, 3, 32, 48, dtype=torch.uint8), "tags": torch.zeros(1, CLASSES)}
    for seed in (*range(30), 0):
        torch.manual_seed(seed)
        module.training_step(batch, 0)
    assert seen[0] == seen[-1]
    assert 24 <= min(seen) < 36 < 64 < max(seen) <= 96


def view_batch():
    rng = np.random.default_rng(0)
    known = torch.ones(2, 64, 64, dtype=torch.bool)
    batch = {
        "image": torch.from_numpy(rng.integers(0, 255, (2, 3, 64, 64), np.uint8)),
        "semantic": torch.from_numpy(rng.integers(0, CLASSES, (2, 64, 64))),
        "centre": torch.rand(2, 64, 64), "centre_known": known,
        "offset": torch.rand(2, 2, 64, 64), "offset_known": known,
    }  # fmt: skip
    batch["semantic"][:, :8] = 255
    return batch | {
        "set_index": torch.ones(2, 64, 64, dtype=torch.int64),
        "set_table": torch.tensor([[True] * CLASSES, [k < 2 for k in range(CLASSES)]]),
    }


@pytest.mark.parametrize(
    ("none_for", "frozen"),
    [
        ((), ()),
        (("centre",), ("centre_head",)),
        (("centre", "offset"), ("centre_head", "offset_head", "instance_entry", "instance_path")),
        (("auxiliary",), ("auxiliary_head",)),
        (("candidates",), ()),
        (("semantic", "candidates"), ("semantic_path", "semantic_head")),
    ],
)
def test_whatever_is_trained_has_a_gradient_so_that_ranks_do_not_wait_for_it(none_for, frozen):
    losses = {**terms(), "presence": None, **dict.fromkeys(none_for)}
    network = PanopticNet(CLASSES, "test_resnet", channels=16, auxiliary=True)
    module = segmenter(network, losses).train()
    module.log = lambda *_, **__: None
    module.training_step(view_batch(), 0).backward()
    waiting = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert waiting == []
    assert {name.split(".")[0] for name, p in network.named_parameters() if not p.requires_grad} == set(frozen)
