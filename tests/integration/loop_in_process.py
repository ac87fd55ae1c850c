"""The loop without a new interpreter: compose, check, prepare and run as train.py does, on a city of a few pixels."""

import copy
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import weakpan.stages.score
from weakpan.config.compose import register
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config
from weakpan.rounds import run_loop
from weakpan.stages.build import quieten_lightning
from weakpan.stages.experiment import Experiment, prepare
from weakpan.storage.images import read_map
from weakpan.toy_city.city import ToyCitySpec, ensure_toy_city

ROOT = Path(__file__).parents[2]

SPEC = ToyCitySpec(height=64, width=96, train=4, val=2)

TINY = (
    "debug=fast", "trainer=cpu", "workers=1", "report.train_images=0", "report.val_images=0",
    "data.toy.height=64", "data.toy.width=96", "data.toy.train=4", "data.toy.val=2",
    "data.crop.height=40", "data.crop.width=60", "segmenter.crops.height=48", "segmenter.crops.width=48",
)  # fmt: skip


class InlineExecutor:
    """Does at once what a pool of fresh processes would do: starting those takes longer than the whole tiny loop."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, function, *arguments):
        future = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def toy_city(root: Path) -> Path:
    """The city that `TINY` speaks of."""
    ensure_toy_city(root, SPEC, processes=1)
    return root


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    register("train_schema", TrainConfig)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", [*TINY, *overrides])


def tiny_config(run: Path, data: Path, *overrides: str) -> TrainConfig:
    """Composed from conf/ and checked; `overrides` win over those of `TINY`.

    What differs in nothing but these two folders is composed once.
    """
    config = copy.deepcopy(_composed(overrides))
    config.run = str(run)
    if not any(override.startswith("data.root=") for override in overrides):
        config.data.root = str(data)
    return to_train_config(config)


def tiny_experiment(run: Path, data: Path, *overrides: str) -> Experiment:
    """Ready to start."""
    return prepare(tiny_config(run, data, *overrides), run)


def run_tiny(run: Path, data: Path, *overrides: str, announce: Callable[[Experiment], None] | None = None) -> dict:
    """Content of metrics.json of a whole run."""
    return run_tiny_with(tiny_config(run, data, *overrides), run, announce)


def run_tiny_with(config: TrainConfig, run: Path, announce: Callable[[Experiment], None] | None = None) -> dict:
    """The same for a configuration that was composed and changed."""
    quieten_lightning()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weakpan.stages.score, "ProcessPoolExecutor", InlineExecutor)
        return run_loop(prepare(config, run), "train.py", announce)


def maps_of(run: Path) -> dict[str, np.ndarray]:
    """Every map that a run has written, by its place in the run folder; pictures for people are left out."""
    paths = [p for pattern in ("masks/*.png", "seeds/*.png", "round_*/labels/*.png") for p in run.glob(pattern)]
    return {str(p.relative_to(run)): read_map(p) for p in sorted(paths)}


def weights_of(run: Path, index: int) -> dict[str, torch.Tensor]:
    """Weights that a round ended with."""
    path = run / f"round_{index:02d}" / "last.ckpt"
    return torch.load(path, weights_only=True)["state_dict"]


def assert_same_maps(one: Path, other: Path) -> None:
    """Bit by bit."""
    first, second = maps_of(one), maps_of(other)
    assert first.keys() == second.keys()
    assert first
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


def assert_same_weights(one: Path, other: Path, rounds: int = 2) -> None:
    """Bit by bit."""
    for index in range(rounds):
        first, second = weights_of(one, index), weights_of(other, index)
        assert first.keys() == second.keys()
        for name, values in first.items():
            assert torch.equal(values, second[name]), f"round {index}: {name}"


def without_times(value):
    """A copy without what the clock says and what the command line was."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in ("seconds", "command", "config_yaml")}
    if isinstance(value, list):
        return [without_times(v) for v in value]
    return value
