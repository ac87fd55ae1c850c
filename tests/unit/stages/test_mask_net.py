"""When a mask network is made: not over another one, and not of weights that are none."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from weakpan.basics.errors import ConfigError, RunError
from weakpan.data.annotations import Box
from weakpan.data.loaders.box_crops import BoxedImage
from weakpan.data.loaders.box_window import WindowSettings
from weakpan.masks.mask_net_settings import MaskNetSettings, MaskNetworkSettings
from weakpan.masks.network_predictor import read_mask_net
from weakpan.stages import mask_net
from weakpan.stages.mask_net import NAME, make_mask_net

IDS = ("town_a", "town_b")
SETTINGS = MaskNetSettings(
    MaskNetworkSettings("test_resnet", channels=8), steps=1, windows=WindowSettings(side=32, images=1, a_image=2)
)


@pytest.fixture(autouse=True)
def boxed(monkeypatch):
    """One image with a box, whatever the source."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    image = BoxedImage(lambda: pixels, (Box(3, 10, 10, 35, 30),))
    monkeypatch.setattr(mask_net, "_boxed_images", lambda _weak, _ids: [image])


def test_a_network_of_the_same_images_is_kept_and_of_others_refused(tmp_path):
    make_mask_net(None, IDS, SETTINGS, tmp_path)
    written = (tmp_path / NAME).stat().st_mtime_ns
    note = read_mask_net(tmp_path / NAME).note
    assert (note["images"], note["boxes"], note["settings"]["steps"]) == (1, 1, 1)
    make_mask_net(None, IDS, SETTINGS, tmp_path)
    with pytest.raises(RunError, match=r"mask_net\.pt learned from other images \(2 ids, .*3 ids"):
        make_mask_net(None, (*IDS, "town_c"), SETTINGS, tmp_path)
    assert (tmp_path / NAME).stat().st_mtime_ns == written


def test_a_damaged_network_is_not_kept(tmp_path):
    (tmp_path / NAME).write_bytes(b"half a file")
    with pytest.raises(RunError, match=r"mask_net\.pt is there and cannot be read; delete it"):
        make_mask_net(None, IDS, SETTINGS, tmp_path)


def test_weights_beyond_all_bounds_are_not_written(tmp_path, monkeypatch):
    def diverge(module, *_):
        with torch.no_grad():
            module.network.thing_head.weight.fill_(torch.nan)

    monkeypatch.setattr(mask_net, "_fit", diverge)
    with pytest.raises(RunError, match=r"mask_net\.optimizer\.learning_rate=0\.001: the weights grew"):
        make_mask_net(None, IDS, SETTINGS, tmp_path)
    assert not (tmp_path / NAME).exists()


def test_batches_of_one_window_are_refused(tmp_path):
    settings = replace(SETTINGS, windows=WindowSettings(side=48, a_image=1))
    with pytest.raises(ConfigError, match=r"mask_net\.windows\.a_image=1: .* 1 images to learn from"):
        make_mask_net(None, IDS, settings, tmp_path)


def test_an_unknown_encoder_is_refused_by_the_key_that_it_was_given_with(tmp_path):
    with pytest.raises(ConfigError, match=r"^mask_net\.network\.encoder=resnet9000: no such timm model"):
        make_mask_net(None, IDS, replace(SETTINGS, network=MaskNetworkSettings("resnet9000")), tmp_path)
