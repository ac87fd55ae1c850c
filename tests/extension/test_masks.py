"""A source of masks outside weakpan is used by YAML alone."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from tests.extension.masks import BrightMasks
from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError
from weakpan.config.compose import register
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config
from weakpan.data.annotations import Box, ImageAnnotation
from weakpan.stages.settings import settings_of
from weakpan.storage.files import content_digest

CONF = str(Path(__file__).parents[2] / "conf")
TARGET = "tests.extension.masks.BrightMasks"


@pytest.fixture
def option(tmp_path):
    """A configuration folder of one's own with an option of the group `masks`."""
    (tmp_path / "conf/masks").mkdir(parents=True)
    (tmp_path / "factor.txt").write_text("1.1")
    content = f"_target_: {TARGET}\npath: {tmp_path / 'factor.txt'}\nfactor: 1.0\nleast: 0.1\n"
    (tmp_path / "conf/masks/bright.yaml").write_text(content)
    return f"hydra.searchpath=[file://{tmp_path / 'conf'}]", "masks=bright"


def config_of(*given):
    register("train_schema", TrainConfig)
    with initialize_config_dir(CONF, version_base="1.3"):
        return to_train_config(compose("train", ["run=r", *given]))


def test_one_yaml_entry_makes_the_source(option, tmp_path):
    config = config_of(*option, "masks.factor=1.2")
    source = config.mask_source
    assert source == BrightMasks(tmp_path / "factor.txt", 1.2, 0.1)
    assert source.supervision == "masks in boxes from brightness alone"
    assert settings_of(config, "masks")["masks.factor"] == 1.2
    assert source.contents() == {"path": content_digest([tmp_path / "factor.txt"])}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("masks.factor=11", "masks.factor"),
        ("masks.factor=0.05", "masks.factor"),
        ("masks.least=much", "masks.least"),
        ("+masks.fusion=null", "masks.fusion"),
    ],
)
def test_its_settings_are_checked_and_named_in_full(option, change, key):
    with pytest.raises(ConfigError) as caught:
        config_of(*option, change)
    assert caught.value.key == key


def test_it_travels_and_makes_masks(option):
    source = pickle.loads(pickle.dumps(config_of(*option).mask_source.pinned()))
    image = np.full((20, 30, 3), 50, np.uint8)
    image[5:12, 6:18] = 200
    box = Box(TOY_CITY.thing_ids[0], 5, 4, 18, 12)
    result = source.masks(ImageAnnotation("street", 20, 30, (box,), ()), lambda: image, TOY_CITY)
    assert ((result.semantic == box.class_id) == (image[..., 0] == 200)).all()
    assert [r.cover for r in result.records] == [pytest.approx(7 * 12 / box.area)]
