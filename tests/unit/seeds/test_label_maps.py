"""Labels from stitched heatmaps, and from those that were kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from weakpan.data.candidates import CandidateSets
from weakpan.refinement.settings import DiffusionSettings
from weakpan.seeds.label_maps import Known, cut_kept, cut_labels, taking_part, to_keep
from weakpan.seeds.settings import CamSettings

STILL = CamSettings(diffusion=DiffusionSettings(steps=0))
PUBLISHED = CamSettings(rule="published")
SIZE, CROP = (61, 90), (40, 50)
TABLE = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [1, 0, 1, 1]], dtype=torch.bool)


def case(seed=0):
    """Heatmaps of classes 0, 2 and 3, as smooth as networks make them, and candidates of two halves and a corner."""
    torch.manual_seed(seed)
    small = torch.randn(1, 3, 6, 8)
    signed = torch.nn.functional.interpolate(small, SIZE, mode="bicubic")[0] * torch.tensor([9, 1, 0.1])[:, None, None]
    index = torch.ones(SIZE, dtype=torch.int32)
    index[:, 45:], index[:5, :5] = 2, 0
    return [0, 2, 3], signed, Known(TABLE, index, torch.randint(0, 255, (3, *SIZE), dtype=torch.uint8))


def on_disk(known):
    """The same as files have it."""
    return CandidateSets(known.index.numpy(), known.table.numpy()), known.image.permute(1, 2, 0).numpy()


def test_classes_that_no_pixel_can_have_take_no_part():
    _, _, known = case()
    assert taking_part([0, 1, 3], STILL, known) == [0, 3]
    assert taking_part([0, 1, 3], PUBLISHED, known) == taking_part([0, 1, 3], PUBLISHED, None) == [0, 1, 3]
    assert taking_part([0, 1, 3], STILL, replace(known, table=TABLE[:1])) == []


def test_labels_are_candidates_of_their_pixels():
    classes, signed, known = case()
    labels = cut_labels(classes, signed, CamSettings(threshold=0), known)
    assert (labels[:5, :5] == 255).all()
    assert set(np.unique(labels[5:, :45])) == {0, 2}
    assert set(np.unique(labels[:, 45:])) == {0, 2, 3}
    with pytest.raises(ValueError, match="needs candidates"):
        cut_labels(classes, signed, STILL, None)


@pytest.mark.parametrize("settings", [STILL, CamSettings(), PUBLISHED], ids=["still", "flowing", "published"])
def test_kept_heatmaps_give_the_same_labels_but_for_rounding(settings):
    differ = []
    for seed in range(5):
        classes, signed, known = case(seed)
        kept = to_keep(classes, signed.clamp_min(0), signed, CROP)
        published = settings.rule == "published"
        expected = cut_labels(classes, signed.clamp_min(0) if published else signed, settings, known)
        sets, photograph = on_disk(known)
        found = cut_kept(kept, settings, None if published else sets, photograph if settings is not STILL else None)
        assert found.shape == SIZE
        assert (found != 255).any()
        differ.append((found != expected).mean())
    # Labels change where the cut lies within a step or a pixel of a place: on maps that bend every dozen pixels one to
    # two in a hundred, on a photograph of 1024 x 2048 a few in a thousand.
    assert max(differ) < 0.03


def test_kept_heatmaps_know_for_and_against_apart():
    # In the overlap of two tiles a class can be spoken for by one and against by the other.
    positive, signed = torch.full((1, 4, 6), 2.0), torch.full((1, 4, 6), -1.0)
    kept = to_keep([3], positive, signed, CROP)
    np.testing.assert_allclose(kept.speaks_for(), 2, rtol=1e-6)
    np.testing.assert_allclose(kept.signed(), -1, rtol=1e-6)


def test_the_published_rule_takes_its_share_of_the_true_maximum():
    # A lone high pixel, which the average of four loses.
    positive = torch.full((1, 8, 8), 4.5)
    positive[0, 3, 3] = 10
    found = cut_kept(to_keep([2], positive, positive, CROP), PUBLISHED, None, None)
    assert (found == 255).mean() > 0.8


def test_an_image_without_tags():
    nothing, sets = torch.zeros(0, 6, 8), CandidateSets(np.zeros((6, 8), np.int32), np.ones((1, 4), bool))
    for settings in (STILL, PUBLISHED):
        labels = cut_kept(to_keep([], nothing, nothing, CROP), settings, sets, None)
        assert labels.shape == (6, 8)
        assert (labels == 255).all()
