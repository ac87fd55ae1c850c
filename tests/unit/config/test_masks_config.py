"""What train.py makes of a source of masks, and what it says that stands behind them."""

import re

import numpy as np
import pytest
from omegaconf import OmegaConf

from tests.unit.masks.tiny_sam import save_sam
from weakpan.basics.catalog import CITYSCAPES
from weakpan.basics.errors import ConfigError, DataError
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import settings_of, to_train_config
from weakpan.masks.mcg import McgMasks
from weakpan.masks.sam import SamMasks
from weakpan.storage.files import content_digest

COMPLETE = (
    "run=r", "data.name=d", "data.root=x", "data.classes=camvid", "classifier.network.encoder=resnet10t",
    "segmenter.network.encoder=resnet10t",
)  # fmt: skip


def masks_of(*changes):
    composed = OmegaConf.merge(
        OmegaConf.structured(TrainConfig), OmegaConf.from_dotlist([*COMPLETE, *(f"masks.{c}" for c in changes)])
    )
    config = to_train_config(composed)
    return config.masks, settings_of(config, "cues")


def test_train_takes_candidates_of_mcg(tmp_path):
    masks, settings = masks_of("kind=mcg", f"path={tmp_path}", "dials.combine=both", "min_iou=0")
    source = masks.source(CITYSCAPES)
    assert isinstance(source, McgMasks)
    assert (source.folder, source.template, source.min_iou) == (tmp_path, "{id}.mat", 0)
    assert source.settings.combine == "both"
    assert (settings["masks.kind"], settings["masks.path"]) == ("mcg", str(tmp_path))
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
        (
            ("kind=sam", "path=a/sam"),
            "masks in boxes from sam, a foundation model that others trained on masks, a billion of them for SAM: more "
            "than boxes and tags stands behind these masks",
        ),
        (("kind=ids", "path=a/ids"), "read from ids (ids), with whatever its tool has learned from"),
    ],
)
def test_supervision_says_what_is_known_about_boundaries(changes, boundaries):
    assert boundaries in masks_of(*changes)[0].supervision


def test_a_model_of_the_sam_family_is_named_as_a_voice_too(tmp_path):
    masks = masks_of("kind=network", f"path={tmp_path}")[0]
    assert "GrabCut, segment proposals and" in masks.supervision
    assert "foundation model that others trained on masks" in masks.supervision
    assert "learned from boxes" not in masks.supervision


def test_contents_follow_the_files_that_are_read(tmp_path):
    network, edges = tmp_path / "mask_net.pt", tmp_path / "edges.bin"
    network.write_bytes(b"weights")
    edges.write_bytes(b"more")
    contours = f"dials.contours={__name__}.Edges", f"dials.contours_file={edges}"
    masks = masks_of("kind=network", f"path={network}", *contours)[0]
    before = masks.contents()
    assert before == {"path": content_digest([network]), "dials.contours_file": content_digest([edges])}
    network.write_bytes(b"other weights")
    assert masks.contents() == {**before, "path": content_digest([network])}
    assert masks.contents() != before
    edges.write_bytes(b"less and less")
    assert masks.contents()["dials.contours_file"] != before["dials.contours_file"]
    assert masks_of()[0].contents() == {}
    assert masks_of("kind=ids", f"path={tmp_path}")[0].contents() == {}
    masks = masks_of("kind=coco", f"path={edges}", "template='{id}'")[0]
    assert masks.contents() == {"path": content_digest([edges])}
    edges.unlink()
    with pytest.raises(ConfigError, match=r"masks\.path=.*edges\.bin: no such file; masks\.kind=coco reads one"):
        masks.contents()


def test_contents_of_a_folder_are_those_of_weights_and_settings(tmp_path):
    folder = save_sam(tmp_path / "sam")
    masks = masks_of("kind=sam", f"path={folder}")[0]
    before = masks.contents()
    (folder / "README.md").write_text("notes")
    assert masks.contents() == before
    save_sam(folder, seed=5)
    assert masks.contents().keys() == {"path"}
    assert masks.contents() != before
    assert isinstance(masks.source(CITYSCAPES), SamMasks)
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"model\.safetensors: no such file"):
        masks.source(CITYSCAPES)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("kind=sam",), "masks.kind=sam with masks.path=None: give its folder, masks.path=PATH"),
        (
            ("kind=sam", "path=a", "dials.combine=both"),
            "masks.kind=sam with masks.dials.combine=both: a network is asked",
        ),
        (("kind=network", "path=a", "dials.combine=both"), "a network is heard in a vote only"),
        (("kind=sam", "path=a", "dials.contours=a.Edges"), "contours belong to our own segment proposals"),
    ],
)
def test_what_does_not_go_together_is_named(changes, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        masks_of(*changes)


class Edges:
    """Contours that are made with a file."""

    def __init__(self, path):
        self.path = path

    def __call__(self, pixels):
        return np.zeros(pixels.shape[:2], np.float32)
