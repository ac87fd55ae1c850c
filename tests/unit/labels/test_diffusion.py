"""Pixels of like colour come to agree about their class."""

import pytest
import torch

from tests.unit.labels.label_cases import catalog_of
from weakpan.basics.errors import ConfigError
from weakpan.data.annotations import ImageAnnotation
from weakpan.labels import Diffusion, ProbabilityContext
from weakpan.refinement.pixel_adaptive import diffuse
from weakpan.refinement.settings import DiffusionSettings


def two_colors():
    """Probabilities of three classes on an image of two colours, one on the left and one on the right."""
    logits = torch.zeros(3, 24, 32)
    logits[1], logits[2] = 2.0, 1.9
    # One speck speaks up for another class, on one colour, and a whole side on the other.
    logits[2, 12, 8], logits[2, :, 16:] = 2.1, 4.0
    image = torch.full((3, 24, 32), 220, dtype=torch.uint8)
    image[..., 16:] = 30
    allowed = torch.ones(3, 24, 32, dtype=torch.bool)
    annotation = ImageAnnotation("a", 24, 32, (), ())
    return logits.softmax(0), ProbabilityContext(annotation, catalog_of(*[False] * 3), (), image, allowed)


def test_a_speck_gives_way_to_its_color():
    probabilities, context = two_colors()
    assert probabilities[:, 12, 8].argmax() == 2
    found = Diffusion(steps=5, side=24)(probabilities, context).argmax(0)
    assert (found[:, :15] == 1).all()
    assert (found[:, 17:] == 2).all()


def test_settings_reach_the_flow():
    probabilities, context = two_colors()
    settings = {"steps": 3, "side": 20, "reaches": [1, 3], "contrast": 0.4}
    expected = diffuse(probabilities, context.allowed, context.image, DiffusionSettings(**settings))
    assert torch.equal(Diffusion(**settings)(probabilities, context), expected)


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"steps": -1}, "steps"), ({"side": 8}, "side"), ({"contrast": 0}, "contrast"), ({"reaches": [1, 70]}, "reaches")],
)
def test_settings_out_of_range_name_their_key(settings, key):
    with pytest.raises(ConfigError) as caught:
        Diffusion(**settings)
    assert caught.value.key == key
