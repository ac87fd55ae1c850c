"""Errors about settings name the key that can be typed for the command that was given."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, ListConfig, OmegaConf

from weakpan.basics.errors import ConfigError
from weakpan.config.compose import register
from weakpan.config.make_gt import MakeGtConfig, to_make_gt_config
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config

CONF = str(Path(__file__).parents[3] / "conf")
COMMANDS = {
    "train": (TrainConfig, ["run=r"], to_train_config),
    "make_gt": (MakeGtConfig, ["stage=masks", "out=o", "data.root=d"], to_make_gt_config),
}
SETTINGS = [
    ("train", "seeds", 9), ("train", "masks", 20), ("train", "rounds.diffusion", 4), ("train", "labels", 5),
    ("make_gt", "cam", 9), ("make_gt", "masks", 20), ("make_gt", "mask_net", 16), ("make_gt", "labels", 5),
]  # fmt: skip
"""Command, place, and how many keys at least can be wrong there."""


def keys_below(node, place):
    for name in node:
        key, value = f"{place}.{name}", node[name]
        if isinstance(value, DictConfig):
            yield from keys_below(value, key)
        elif not isinstance(value, bool):
            yield key


@pytest.mark.parametrize(("command", "place", "least"), SETTINGS, ids=[f"{c} {p}" for c, p, _ in SETTINGS])
def test_every_value_out_of_range_is_named_by_its_key(command, place, least):
    schema, given, check = COMMANDS[command]
    register(f"{command}_schema", schema)
    with initialize_config_dir(CONF, version_base="1.3"):
        base = compose(command, given)
    seen = 0
    for key in keys_below(OmegaConf.select(base, place), place):
        config, wrong = base.copy(), {int: -(10**9), float: -1e9, ListConfig: [-1]}
        OmegaConf.update(config, key, wrong.get(type(OmegaConf.select(base, key)), "nothing."))
        try:
            check(config)
        except ConfigError as error:
            seen += 1
            message = str(error)
            assert re.search(rf"(^|[ (]){re.escape(key)}\b", message), f"{key}: {message}"
            for named in re.findall(r"(?<![\w./'])([a-z_]+(?:\.[a-z_]+)+)=", message):
                group, _, name = named.rpartition(".")
                assert name in OmegaConf.select(base, group, default={}), message
    assert seen >= least
