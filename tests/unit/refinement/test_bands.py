"""Work in bands of rows, and probabilities shared among the classes that a pixel can have."""

import torch

from weakpan.refinement import bands
from weakpan.refinement.bands import row_bands, share_among


def test_bands_cover_every_row_once(monkeypatch):
    stack = torch.zeros(3, 10, 7)
    assert row_bands(stack) == [slice(0, 10)]
    monkeypatch.setattr(bands, "_VALUES_AT_ONCE", 3 * 7 * 4)
    assert row_bands(stack) == [slice(0, 4), slice(4, 8), slice(8, 10)]


def test_what_is_allowed_sums_to_one_and_the_rest_is_nothing():
    stack = torch.tensor([0.5, 0.3, 0.2]).view(3, 1, 1).repeat(1, 2, 4)
    allowed = torch.ones(3, 2, 4, dtype=torch.bool)
    allowed[1, 0], allowed[:, 1, 3] = False, False
    # A part of a stack is changed where it lies.
    total = share_among(allowed[:, :1], stack[:, :1])
    torch.testing.assert_close(total, torch.full((1, 1, 4), 0.7))
    torch.testing.assert_close(stack[:, 0], torch.tensor([5 / 7, 0, 2 / 7])[:, None].repeat(1, 4))
    torch.testing.assert_close(stack[:, 1], torch.tensor([0.5, 0.3, 0.2])[:, None].repeat(1, 4))
    total = share_among(allowed[:, 1:], stack[:, 1:])
    assert total[0, 0].tolist()[3] == 0
    assert not stack[:, 1, 3].any()
