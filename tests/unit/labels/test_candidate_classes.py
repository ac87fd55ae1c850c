"""A pixel gets the most likely of the classes that tags and boxes leave to it."""

import numpy as np
import pytest
import torch

from tests.unit.labels.label_cases import catalog_of
from weakpan.data.annotations import ImageAnnotation
from weakpan.labels import CandidateClasses, ProbabilityContext


def test_probabilities_are_divided_among_the_candidates():
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(5, 8, 12, generator=generator).softmax(0)
    allowed = torch.rand(5, 8, 12, generator=generator) > 0.6
    allowed[:, 0, 0], allowed[2, 1:] = False, True
    context = ProbabilityContext(
        ImageAnnotation("a", 8, 12, (), ()), catalog_of(*[False] * 5), (), torch.zeros(3, 4, 6), allowed
    )
    after = CandidateClasses()(before.clone(), context).numpy()
    for y, x in np.ndindex(8, 12):
        kept = np.where(allowed[:, y, x], before[:, y, x], 0)
        assert after[:, y, x].tolist() == pytest.approx(kept / max(kept.sum(), 1e-9), rel=1e-5)
    assert (after.argmax(0) != before.argmax(0).numpy()).any()
    assert not after[:, 0, 0].any()


def test_it_needs_a_network():
    assert not CandidateClasses().applies_in(0)
    assert CandidateClasses().applies_in(1)
