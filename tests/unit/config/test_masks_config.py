"""Every option of the group `masks`: the source that it makes, and what stands behind it."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from tests.unit.masks.tiny_sam import save_sam
from weakpan.basics.errors import ConfigError, DataError
from weakpan.config.compose import register
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config
from weakpan.masks import (
    CocoMasks,
    GrabCutAndProposals,
    IdMasks,
    McgMasks,
    NetworkMasks,
    ReleasedMasks,
    SamMasks,
)
from weakpan.masks.fallback import FallbackSettings
from weakpan.stages.settings import settings_of
from weakpan.storage.files import content_digest

CONF = str(Path(__file__).parents[3] / "conf")
PATH = Path("some/where")
PUBLISHED = {"fusion": None, "fallback": FallbackSettings(radius=0.9)}


def config_of(option, *changes):
    register("train_schema", TrainConfig)
    with initialize_config_dir(CONF, version_base="1.3"):
        composed = compose("train", ["run=r", f"masks={option}", *(f"masks.{change}" for change in changes)])
    return to_train_config(composed)


def source_of(option, *changes):
    return config_of(option, *changes).mask_source


@pytest.mark.parametrize(
    ("option", "source"),
    [
        ("default", GrabCutAndProposals()),
        ("published", GrabCutAndProposals(proposal_weights=None, **PUBLISHED)),
        ("network", NetworkMasks(path=PATH)),
        ("sam", SamMasks(PATH)),
        ("mcg", McgMasks(path=PATH)),
        ("coco", CocoMasks(PATH, "{id}_leftImg8bit")),
        ("ids", IdMasks(PATH)),
        ("released", ReleasedMasks(PATH)),
    ],
)
def test_options_have_the_defaults_of_their_class(option, source):
    given = [] if option in ("default", "published") else [f"path={PATH}"]
    made = source_of(option, *given)
    assert type(made) is type(source)
    assert made == source


def test_mcg_with_the_masks_as_published():
    source = source_of("mcg", f"path={PATH}", "fusion=null", "fallback.radius=0.9", "min_iou=0")
    assert source == McgMasks(path=PATH, min_iou=0, **PUBLISHED)


def test_settings_of_a_run_name_the_source():
    settings = settings_of(config_of("mcg", f"path={PATH}", "fusion.gap=0"), "masks")
    assert settings["masks._target_"] == "weakpan.masks.McgMasks"
    assert (settings["masks.path"], settings["masks.fusion.gap"]) == (str(PATH.resolve()), 0)


@pytest.mark.parametrize(
    ("option", "changes", "words"),
    [
        ("default", (), "GrabCut and segment proposals, without learned boundaries"),
        ("network", ("path=a/mask_net.pt",), "mask_net.pt, a network that learned from boxes, without learned"),
        (
            "mcg",
            ("path=a/mcg",),
            "of MCG in mcg, whose edges are learned from boundary labels: boundary supervision",
        ),
        (
            "sam",
            ("path=a/sam",),
            "masks in boxes from sam, a foundation model that others trained on masks, a billion of them for SAM: more "
            "than boxes and tags stands behind these masks",
        ),
        ("ids", ("path=a/ids",), "read from ids (ids), with whatever its tool has learned from"),
    ],
)
def test_supervision_says_what_is_known_about_boundaries(option, changes, words):
    assert words in source_of(option, *changes).supervision


def test_a_model_of_the_sam_family_is_named_as_evidence_too(tmp_path):
    source = source_of("network", f"path={tmp_path}")
    assert "GrabCut, segment proposals and" in source.supervision
    assert "foundation model that others trained on masks" in source.supervision
    assert "learned from boxes" not in source.supervision


def test_contents_follow_the_files_that_are_read(tmp_path):
    network = tmp_path / "mask_net.pt"
    network.write_bytes(b"weights")
    source = source_of("network", f"path={network}")
    before = source.contents()
    assert before == {"path": content_digest([network])}
    network.write_bytes(b"other weights")
    assert source.contents() == {"path": content_digest([network])} != before
    assert source_of("coco", f"path={network}").contents() == source.contents()
    assert source_of("default").contents() == source_of("ids", f"path={tmp_path}").contents() == {}
    network.unlink()
    with pytest.raises(ConfigError) as caught:
        source.check_files()
    assert (caught.value.key, caught.value.found) == ("path", network)


def test_contents_of_a_folder_are_those_of_weights_and_settings(tmp_path):
    folder = save_sam(tmp_path / "sam")
    source = source_of("sam", f"path={folder}")
    source.check_files()
    before = source.contents()
    (folder / "README.md").write_text("notes")
    assert source.contents() == before
    save_sam(folder, seed=5)
    assert source.contents().keys() == {"path"}
    assert source.contents() != before
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"model\.safetensors: no such file"):
        source.check_files()


@pytest.mark.parametrize(
    ("option", "changes", "key"),
    [
        ("sam", (), None),
        ("network", ("path=a", "fusion=null"), "masks.fusion"),
        ("default", ("fusion.gap=700",), "masks.fusion.gap"),
        ("default", ("grabcut.corner=0.5",), "masks.grabcut.corner"),
        ("default", ("grabcut.core=1.0", "grabcut.corner=1.0"), "masks.grabcut.core"),
        ("default", ("fusion.gap=much",), "masks.fusion.gap"),
        ("default", ("overlap=big",), "masks.overlap"),
        ("default", ("region=128",), "masks.region"),
        ("default", ("_target_=weakpan.masks.Sam",), "masks._target_"),
        ("default", ("_target_=pathlib.Path",), "masks._target_"),
        ("default", ("_target_=weakpan.masks.IdMasks",), "masks.region"),
        ("ids", ("path=a", "template=same"), "masks.template"),
        ("ids", ("path=a", "min_iou=2"), "masks.min_iou"),
    ],
)
def test_what_a_source_does_not_take_is_named_by_its_full_key(option, changes, key):
    with pytest.raises(ConfigError) as caught:
        config_of(option, *changes)
    assert caught.value.key == key
    assert "masks." in str(caught.value)
