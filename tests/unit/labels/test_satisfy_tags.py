"""Probabilities in which every tagged class of stuff has its share of its crop."""

import numpy as np
import pytest
import torch

from tests.unit.labels.label_cases import catalog_of
from weakpan.data.annotations import ImageAnnotation
from weakpan.data.crops import CropGrid
from weakpan.labels import ProbabilityContext, SatisfyTags

CROPS = CropGrid(64, 60).crops(64, 96)
TAGS = (frozenset({0, 2}), frozenset({0, 1, 3}))


def context(allowed, things=(False, False, False, True)):
    annotation = ImageAnnotation("a", 64, 96, (), TAGS)
    return ProbabilityContext(annotation, catalog_of(*things), CROPS, torch.zeros(3, 64, 96), allowed)


def case():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(4, 64, 96, generator=generator)
    logits[0] += 9
    allowed = torch.ones(4, 64, 96, dtype=torch.bool)
    allowed[1, :, :50] = allowed[2, :, 50:] = False
    allowed[:, :3, :3] = False
    return logits.softmax(0), allowed


@pytest.mark.parametrize("side", [16, 64])
def test_tags_of_stuff_are_satisfied_and_the_others_are_left_alone(side):
    before, allowed = case()
    after = SatisfyTags(share=0.05, side=side)(before.clone(), context(allowed))
    assert not after[~allowed].any()
    np.testing.assert_allclose(after.sum(dim=0)[allowed.any(dim=0)], 1, rtol=1e-5)
    for crop, class_id in ((0, 2), (1, 1)):
        part = (slice(None), *CROPS[crop].slices)
        possible = allowed[part][class_id].sum()
        assert before[part][class_id][allowed[part][class_id]].sum() < 0.01 * possible
        # Found on a part of the pixels.
        assert after[part][class_id].sum() > 0.03 * possible
    # Nobody asks for things.
    assert after[3].sum() < 2 * before[3].sum()


def test_satisfied_tags_change_nothing_but_what_cannot_be():
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(4, 64, 96, generator=generator).softmax(0)
    allowed = torch.ones(4, 64, 96, dtype=torch.bool)
    after = SatisfyTags()(before.clone(), context(allowed))
    torch.testing.assert_close(after, before)


def test_it_needs_a_network():
    assert [r for r in range(3) if SatisfyTags().applies_in(r)] == [1, 2]
