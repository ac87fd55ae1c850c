"""What train.py makes of a source of masks, and what it says that stands behind them."""

import pytest
from omegaconf import OmegaConf

from weakpan.catalog import CITYSCAPES
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import settings_of, to_train_config
from weakpan.cues.mcg_masks import McgMasks

COMPLETE = (
    "run=r", "data.name=d", "data.root=x", "data.classes=camvid", "classifier.network.encoder=resnet10t",
    "segmenter.network.encoder=resnet10t",
)  # fmt: skip


def masks_of(*changes):
    composed = OmegaConf.merge(
        OmegaConf.structured(TrainConfig), OmegaConf.from_dotlist([*COMPLETE, *(f"cues.masks.{c}" for c in changes)])
    )
    config = to_train_config(composed)
    return config.cues.masks, settings_of(config, "cues")


def test_train_takes_candidates_of_mcg(tmp_path):
    masks, settings = masks_of("kind=mcg", f"path={tmp_path}", "dials.combine=both", "min_iou=0")
    source = masks.source(CITYSCAPES)
    assert isinstance(source, McgMasks)
    assert (source.folder, source.template, source.min_iou) == (tmp_path, "{id}.mat", 0)
    assert source.settings.combine == "both"
    assert (settings["cues.masks.kind"], settings["cues.masks.path"]) == ("mcg", str(tmp_path))
    assert (
        masks_of("kind=mcg", f"path={tmp_path}", "template='{id}_mcg'")[0].source(CITYSCAPES).template == "{id}_mcg.mat"
    )


@pytest.mark.parametrize(
    ("changes", "boundaries"),
    [
        ((), "without learned boundaries"),
        (("kind=network", "path=a/mask_net.pt"), "without learned boundaries"),
        (("dials.contours=a.Edges",), "with contours of a.Edges and whatever boundaries it has learned from"),
        (("kind=network", "path=a/mask_net.pt", "dials.contours=a.Edges"), "with contours of a.Edges and whatever"),
        (
            ("kind=mcg", "path=a/mcg"),
            "of MCG in mcg, whose edges are learned from boundary labels: boundary supervision",
        ),
        (("kind=ids", "path=a/ids"), "read from ids (ids), with whatever its tool has learned from"),
    ],
)
def test_supervision_says_what_is_known_about_boundaries(changes, boundaries):
    assert boundaries in masks_of(*changes)[0].supervision
