"""Predictions of the segmenter: maps that are made when they are asked for, whoever asks."""

from functools import partial
from threading import Thread

import numpy as np
import pytest
import torch

from weakpan.basics.catalog import TOY_CITY
from weakpan.models.decode import PanopticDecoder
from weakpan.models.panoptic_net import PanopticNet
from weakpan.training.losses import CrossEntropy
from weakpan.training.prediction import Prediction, most_likely
from weakpan.training.segmenter_module import SegmenterModule

pytestmark = pytest.mark.usefixtures("seeded")

CLASSES = TOY_CITY.num_classes


def segmenter(network, **more):
    optimizer = partial(torch.optim.AdamW, lr=1e-3)
    return SegmenterModule(network, {"semantic": CrossEntropy()}, optimizer, PanopticDecoder(), TOY_CITY, **more).eval()


def network_of(kind=PanopticNet):
    return kind(CLASSES, "test_resnet", channels=16)


def batch(**more):
    image = torch.randint(0, 255, (1, 3, 32, 48), dtype=torch.uint8)
    return {"image_id": "x", "image": image, "size": (64, 96), **more}


class Derived(PanopticNet):
    """Of one's own, after ours: what it says of classes is not what ours says."""

    def forward(self, images):
        output = super().forward(images)
        return output._replace(semantic=output.semantic.flip(1))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("kind", [PanopticNet, Derived])
def test_classes_are_the_same_to_the_bit_where_nobody_will_ask_for_a_panoptic_map(kind, flip):
    module, calls = segmenter(network_of(kind), flip_average=flip), []
    module.network.instance_path.register_forward_hook(lambda *_: calls.append(1))
    given = batch()
    with torch.inference_mode():
        whole = module.predict_step(given, 0)
        asked = len(calls)
        alone = module.predict_step({**given, "semantic_only": True}, 0)
    np.testing.assert_array_equal(alone.semantic, whole.semantic)
    np.testing.assert_array_equal(alone.score, whole.score)
    assert whole.panoptic.ids.shape == (64, 96)
    assert alone.panoptic is None
    assert not module.network.classes_only  # as it was, for training
    # Centres and offsets are work for nothing here, but only ours can leave them out.
    assert asked == 1 + flip
    assert len(calls) - asked == (0 if kind is PanopticNet else asked)


def test_what_hangs_on_the_network_is_asked_where_classes_alone_are_asked_for():
    module, calls = segmenter(network_of(), flip_average=False), []
    module.network.register_forward_pre_hook(lambda *_: calls.append(1))
    module.predict_step(batch(semantic_only=True), 0)
    assert calls == [1]


def test_another_thread_sees_the_same():
    module, found = segmenter(network_of()), {}
    with torch.inference_mode():
        prediction = module.predict_step(batch(), 0)
        expected = most_likely(prediction.probabilities())

    def ask():
        torch.set_num_threads(torch.get_num_threads())
        found.update(maps=most_likely(prediction.probabilities()), panoptic=prediction.panoptic)

    thread = Thread(target=ask)
    thread.start()
    thread.join()
    for one, other in zip(found["maps"], expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert found["panoptic"] is prediction.panoptic
    assert not prediction.probabilities().requires_grad


@torch.inference_mode()
def test_who_changes_the_probabilities_changes_nobody_elses():
    prediction = Prediction("x", (4, 6), torch.zeros(3, 2, 3), torch.randn(1, 5, 2, 3))
    before = prediction.probabilities()
    prediction.probabilities().zero_()
    assert before.shape == (5, 4, 6)
    torch.testing.assert_close(before.sum(0), torch.ones(4, 6))
    assert torch.equal(prediction.probabilities(), before)
    np.testing.assert_array_equal(prediction.semantic, before.argmax(0).numpy())


def test_candidates_are_those_of_each_pixel():
    table, rows = torch.rand(7, 5) > 0.5, torch.randint(0, 7, (4, 6))
    prediction = Prediction("x", (4, 6), torch.zeros(3, 2, 3), torch.zeros(1, 5, 2, 3), candidates=(table, rows))
    allowed = prediction.allowed()
    for y, x in np.ndindex(4, 6):
        assert torch.equal(allowed[:, y, x], table[rows[y, x]])
    assert Prediction("x", (4, 6), torch.zeros(3, 2, 3), torch.zeros(1, 5, 2, 3)).allowed() is None


def test_candidates_of_a_batch_come_along_and_leave_what_the_network_says():
    module, given = segmenter(network_of()), batch()
    table, rows = torch.zeros(1, CLASSES, dtype=torch.bool), torch.zeros(64, 96, dtype=torch.int64)
    with torch.inference_mode():
        free, bound = (
            module.predict_step({**given, **more}, 0) for more in ({}, {"set_table": table, "set_index": rows})
        )
    assert not bound.allowed().any()
    np.testing.assert_array_equal(free.semantic, bound.semantic)
    np.testing.assert_array_equal(free.panoptic.ids, bound.panoptic.ids)
