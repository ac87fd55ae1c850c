"""Losses against plain arithmetic."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from weakpan.basics.errors import ConfigError
from weakpan.models.panoptic_net import PanopticOutput
from weakpan.training.base import TrainingModule
from weakpan.training.losses import (
    CandidateSets,
    CentreHeatmap,
    CentreOffsets,
    CrossEntropy,
    LossContext,
    Presence,
    TagCrossEntropy,
)
from weakpan.training.losses.candidate_sets import candidate_loss
from weakpan.training.losses.cross_entropy import class_weights
from weakpan.training.losses.instances import masked_mean
from weakpan.training.losses.presence import presence_loss

CLASSES = 4


def terms(**weights):
    """All terms of the segmenter, unweighted classes; a weight of None leaves one out."""
    known = {
        "semantic": CrossEntropy, "candidates": CandidateSets, "presence": Presence, "centre": CentreHeatmap,
        "offset": CentreOffsets, "auxiliary": CrossEntropy,
    }  # fmt: skip
    more = {"auxiliary": {"of": "auxiliary"}}
    return {
        name: None if weights.get(name, 1.0) is None else term(weight=weights.get(name, 1.0), **more.get(name, {}))
        for name, term in known.items()
    }


def losses_of(output, batch, losses, class_share=None):
    module = TrainingModule(torch.nn.Identity(), losses, torch.optim.SGD)
    return module.losses_of(output, batch, LossContext(batch["semantic"].shape[-2:], class_share))


def batch_of(semantic, table=None, index=None):
    semantic = torch.as_tensor(semantic)
    size = semantic.shape
    generator = torch.Generator().manual_seed(3)
    return {
        "semantic": semantic,
        "centre": torch.rand(size, generator=generator),
        "centre_known": torch.rand(size, generator=generator) > 0.3,
        "offset": torch.randn((size[0], 2, *size[1:]), generator=generator),
        "offset_known": torch.rand(size, generator=generator) > 0.5,
        "set_table": torch.ones(1, CLASSES, dtype=torch.bool) if table is None else table,
        "set_index": torch.zeros(size, dtype=torch.int64) if index is None else index,
        **present([]),
    }


def present(rows):
    """Rows of (view, (top, left, bottom, right), classes, is_box) as a batch has them."""
    classes = torch.zeros(len(rows), CLASSES, dtype=torch.bool)
    for row, (_, _, ids, _) in enumerate(rows):
        classes[row, ids] = True
    return {
        "present_view": torch.tensor([r[0] for r in rows], dtype=torch.int64),
        "present_areas": torch.tensor([r[1] for r in rows], dtype=torch.int64).reshape(-1, 4),
        "present_classes": classes,
        "present_is_box": torch.tensor([r[3] for r in rows], dtype=torch.bool),
    }


def output_of(shape, auxiliary=False):
    generator = torch.Generator().manual_seed(7)
    n, height, width = shape

    def values(channels):
        return torch.randn(n, channels, height, width, generator=generator).requires_grad_(True)

    return PanopticOutput(values(CLASSES), values(1), values(2), values(CLASSES) if auxiliary else None)


def test_the_candidate_loss_is_minus_log_of_the_candidates_probability():
    torch.manual_seed(0)
    logits = torch.randn(6, CLASSES)
    allowed = torch.tensor(
        [[1, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1], [1, 0, 1, 1], [0, 1, 0, 1]], dtype=torch.bool
    )
    probabilities = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    expected = -np.log((probabilities * allowed.numpy()).sum(axis=1)).mean()
    assert candidate_loss(logits, allowed).item() == pytest.approx(expected, rel=1e-5)
    # One class left: cross-entropy. All classes left: nothing to learn.
    one = candidate_loss(logits[:1], allowed[:1])
    torch.testing.assert_close(one, F.cross_entropy(logits[:1], torch.tensor([0])))
    assert candidate_loss(logits[2:3], allowed[2:3]).item() == pytest.approx(0, abs=1e-6)


def test_the_candidate_loss_moves_probability_into_the_set():
    logits = torch.tensor([[0.0, 0.0, 0.0, 3.0]], requires_grad=True)
    candidate_loss(logits, torch.tensor([[True, True, False, False]])).backward()
    gradient = logits.grad[0]
    assert (gradient[:2] < 0).all()
    assert (gradient[2:] > 0).all()
    assert torch.isfinite(gradient).all()


def test_the_candidate_loss_of_no_pixels_is_zero():
    logits = torch.zeros(0, CLASSES, requires_grad=True)
    loss = candidate_loss(logits, torch.ones(0, CLASSES, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0


def test_the_presence_loss_against_plain_arithmetic():
    batch = batch_of(torch.zeros(2, 8, 12, dtype=torch.int64))
    batch["set_table"] = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 1]], dtype=torch.bool)
    batch["set_index"][1, :, :6] = 1
    rows = [(0, (0, 0, 8, 8), [0, 2], False), (1, (2, 4, 8, 12), [1], False), (1, (0, 0, 4, 4), [3], True)]
    batch.update(present(rows))
    logits = torch.randn(2, CLASSES, 4, 6, generator=torch.Generator().manual_seed(5))
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    p[1, 1, :, :3] = 0  # class 1 is no candidate there
    terms = []
    for values, share in ((p[0, 0, :4, :4], 0.25), (p[0, 2, :4, :4], 0.25), (p[1, 1, 1:4, 2:6], 0.25),
                          (p[1, 3, :2, :2], 0.5)):  # fmt: skip
        highest = np.sort(values.ravel())[::-1][: round(share * values.size)]
        terms.append(-np.log(highest.mean()))
    assert presence_loss(logits, batch, (0.25, 0.5)).item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_the_presence_loss_raises_the_class_where_it_is_most_likely():
    batch = batch_of(torch.full((1, 4, 4), 255))
    batch.update(present([(0, (0, 0, 4, 4), [2], False)]))
    logits = torch.zeros(1, CLASSES, 4, 4)
    logits[0, 2, 1, 3] = 1
    logits.requires_grad_(True)
    presence_loss(logits, batch, (0.01, 0.3)).backward()
    assert logits.grad[0, 2, 1, 3] < 0
    assert torch.count_nonzero(logits.grad[0].sum(dim=0).abs() > 1e-6) == 0  # softmax: what one gains others lose
    assert torch.count_nonzero(logits.grad[0, 2]) == 1


def test_the_presence_loss_where_nothing_is_known_or_allowed():
    batch = batch_of(torch.zeros(1, 4, 4, dtype=torch.int64))
    logits = torch.zeros(1, CLASSES, 4, 4, requires_grad=True)
    loss = presence_loss(logits, batch, (0.01, 0.3))
    loss.backward()
    assert loss.item() == 0
    batch["set_table"] = torch.tensor([[True, False, False, False]])
    batch.update(present([(0, (0, 0, 2, 2), [1], True)]))
    logits.grad = None
    blocked = presence_loss(logits, batch, (0.01, 0.3))
    blocked.backward()
    assert blocked.item() == 0
    assert not logits.grad.any()


def test_a_box_between_the_cells_counts_nothing_and_never_those_outside():
    batch = batch_of(torch.zeros(1, 16, 16, dtype=torch.int64))
    box = torch.zeros(16, 16, dtype=torch.int64)
    box[3:5, 3:5] = 1
    batch.update(set_table=torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0]], dtype=torch.bool), set_index=box[None])
    batch.update(present([(0, (3, 3, 5, 5), [1], True)]))
    logits = torch.zeros(1, CLASSES, 4, 4, requires_grad=True)  # middles of the cells at 2, 6, 10, 14
    assert presence_loss(logits, batch, (0.01, 0.3)).item() == 0
    box[6, 2:8] = 1
    batch.update(present([(0, (6, 2, 7, 8), [1], True)]))
    presence_loss(logits, batch, (0.01, 1.0)).backward()
    assert torch.nonzero(logits.grad[0, 1]).tolist() == [[1, 0], [1, 1]]


def test_a_class_that_the_network_has_given_up_is_still_asked_for():
    batch = batch_of(torch.zeros(1, 4, 4, dtype=torch.int64))
    batch.update(present([(0, (0, 0, 4, 4), [2], False)]))
    logits = torch.zeros(1, CLASSES, 4, 4)
    logits[0, 2] = -30
    logits.requires_grad_(True)
    presence_loss(logits, batch, (0.3, 0.3)).backward()
    assert logits.grad[0, 2].sum().item() == pytest.approx(-1, abs=1e-5)


@pytest.mark.parametrize("size", [(129, 192), (97, 200), (65, 64), (7, 5)])
def test_the_presence_loss_takes_views_of_any_size(size):
    batch = batch_of(torch.zeros(1, *size, dtype=torch.int64))
    batch.update(present([(0, (0, 0, *size), [0, 1], False)]))
    cells = tuple(-(-n // 4) for n in size)
    logits = torch.zeros(1, CLASSES, *cells)
    assert presence_loss(logits, batch, (0.5, 0.3)).item() == pytest.approx(np.log(CLASSES), rel=1e-5)


def test_masked_mean():
    values, mask = torch.tensor([1.0, 2.0, 30.0]), torch.tensor([True, True, False])
    assert masked_mean(values, mask).item() == 1.5
    assert masked_mean(values, ~mask & mask).item() == 0


def test_every_part_against_plain_arithmetic():
    semantic = torch.randint(0, CLASSES, (2, 5, 6), generator=torch.Generator().manual_seed(1))
    semantic[0, :2] = 255
    table = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 1], [0, 1, 0, 0]], dtype=torch.bool)
    index = torch.randint(0, 3, (2, 5, 6), generator=torch.Generator().manual_seed(2))
    batch, output = batch_of(semantic, table, index), output_of((2, 5, 6), auxiliary=True)
    batch.update(present([(1, (0, 0, 4, 4), [0, 3], True)]))
    weighted = terms(candidates=0.5, presence=0.3, centre=2.0, offset=0.25, auxiliary=0.4)
    parts = losses_of(output, batch, weighted)
    torch.testing.assert_close(parts["semantic"], F.cross_entropy(output.semantic, semantic, ignore_index=255))
    torch.testing.assert_close(parts["auxiliary"], F.cross_entropy(output.auxiliary, semantic, ignore_index=255))
    known = batch["centre_known"]
    expected = ((output.centre[:, 0] - batch["centre"]) ** 2)[known].mean()
    torch.testing.assert_close(parts["centre"], expected)
    dy, dx = (output.offset[:, k] - batch["offset"][:, k] for k in (0, 1))
    torch.testing.assert_close(parts["offset"], (dy.abs() + dx.abs())[batch["offset_known"]].mean())
    # Only unlabelled pixels whose set says something count for the candidates.
    expected = [
        -torch.log(output.semantic[b, :, y, x].softmax(0)[table[index[b, y, x]]].sum())
        for b, y, x in torch.nonzero((semantic == 255) & (index > 0)).tolist()
    ]
    assert expected
    torch.testing.assert_close(parts["candidates"], torch.stack(expected).mean())
    likely = (output.semantic[1].softmax(0) * table[index[1]].permute(2, 0, 1))[[0, 3], :4, :4].flatten(1)
    highest = likely.topk(round(0.3 * 16), dim=1).values
    torch.testing.assert_close(parts["presence"], -highest.mean(dim=1).log().mean())
    expected = (
        parts["semantic"] + 0.5 * parts["candidates"] + 2 * parts["centre"] + 0.25 * parts["offset"]
        + 0.4 * parts["auxiliary"] + 0.3 * parts["presence"]
    )  # fmt: skip
    torch.testing.assert_close(parts["total"], expected)


@pytest.mark.parametrize("losses", [terms(), {"semantic": CrossEntropy()}])
def test_a_batch_without_any_label_counts_nothing_and_stays_finite(losses):
    batch = batch_of(torch.full((2, 8, 8), 255))
    batch["centre_known"][:] = False
    batch["offset_known"][:] = False
    output = output_of((2, 4, 4), auxiliary=True)
    parts = losses_of(output, batch, losses)
    assert {name: value.item() for name, value in parts.items()} == dict.fromkeys(parts, 0.0)
    parts["total"].backward()
    assert torch.isfinite(output.semantic.grad).all()
    assert not output.semantic.grad.any()


@pytest.mark.parametrize("off", [0, None])
def test_terms_without_weight_are_left_out(off):
    losses = terms(candidates=off, presence=off, centre=off, offset=off, auxiliary=off)
    parts = losses_of(output_of((1, 4, 4), auxiliary=True), batch_of(torch.zeros(1, 4, 4, dtype=torch.int64)), losses)
    assert set(parts) == {"semantic", "total"}
    assert parts["total"] == parts["semantic"]


def test_a_field_that_the_network_does_not_have_counts_nothing():
    parts = losses_of(output_of((1, 4, 4)), batch_of(torch.zeros(1, 4, 4, dtype=torch.int64)), terms())
    assert "auxiliary" not in parts


def test_a_loss_without_any_term_is_refused():
    with pytest.raises(ConfigError) as caught:
        losses_of(None, {}, {"semantic": None})
    assert caught.value.key == "losses"


def test_a_batch_without_what_a_term_needs_is_refused_by_the_name_of_the_term():
    batch = batch_of(torch.zeros(1, 4, 4, dtype=torch.int64))
    del batch["set_index"]
    with pytest.raises(ConfigError, match="set_index") as caught:
        losses_of(output_of((1, 4, 4)), batch, terms())
    assert caught.value.key == "module.losses.candidates"


@pytest.mark.parametrize(
    ("term", "arguments", "key"),
    [
        (CrossEntropy, {"weight": -1}, "weight"),
        (CrossEntropy, {"class_balance": 2}, "class_balance"),
        (Presence, {"crop_share": 1.5}, "crop_share"),
        (Presence, {"box_share": -0.1}, "box_share"),
    ],
)
def test_a_value_out_of_range_is_refused(term, arguments, key):
    with pytest.raises(ConfigError) as caught:
        term(**arguments)
    assert caught.value.key == key


def test_classes_are_weighted_by_their_running_share():
    semantic = torch.randint(0, CLASSES, (2, 5, 6), generator=torch.Generator().manual_seed(1))
    output, share = output_of((2, 5, 6)), torch.tensor([0.7, 0.1, 0.1, 0.1])
    found = losses_of(output, batch_of(semantic), {"semantic": CrossEntropy(class_balance=0.5)}, share)["semantic"]
    weight = class_weights(share, 0.5)
    expected = torch.nn.functional.cross_entropy(output.semantic, semantic, weight=weight, reduction="sum") / 60
    torch.testing.assert_close(found, expected)


def test_tags_against_plain_arithmetic():
    logits, tags = torch.randn(3, CLASSES), torch.rand(3, CLASSES) > 0.5
    p = logits.sigmoid().numpy()
    expected = -np.where(tags.numpy(), np.log(p), np.log(1 - p)).mean()
    found = TagCrossEntropy()(logits, {"tags": tags}, LossContext(torch.Size((8, 8))))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_tensor_is_enlarged_once_a_step():
    context, values = LossContext(torch.Size((8, 8))), torch.rand(1, 2, 4, 4)
    assert context.enlarge(values) is context.enlarge(values)
    assert context.enlarge(values.clone()) is not context.enlarge(values)
    assert context.enlarge(values).shape == (1, 2, 8, 8)


def test_half_precision_output_gives_single_precision_losses():
    output = PanopticOutput(*(o.detach().bfloat16() for o in output_of((1, 4, 4))[:3]))
    parts = losses_of(output, batch_of(torch.zeros(1, 16, 16, dtype=torch.int64)), terms())
    assert {value.dtype for value in parts.values()} == {torch.float32}


def test_class_weights_are_one_on_the_average_and_favour_rare_classes():
    share = torch.tensor([0.9, 0.09, 0.01])
    weights = class_weights(share, 0.5)
    assert float((weights * share).sum()) == pytest.approx(1)
    assert float(weights[2] / weights[0]) == pytest.approx((0.9 / 0.01) ** 0.5)
    torch.testing.assert_close(class_weights(share, 0.0), torch.ones(3))


def test_a_class_that_was_never_seen_keeps_a_finite_weight():
    assert bool(torch.isfinite(class_weights(torch.tensor([1.0, 0.0]), 1.0)).all())
