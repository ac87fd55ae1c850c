"""make_gt.py stage=mask_net on generated scenes, and masks in boxes with the network that it makes."""

from __future__ import annotations

import hashlib

import pytest
import torch

from tests.integration.make_gt_in_process import results, run, settings
from weakpan.basics.errors import ConfigError, DataError, RunError
from weakpan.masks.network_predictor import read_mask_net
from weakpan.toy_city.city import ToyCitySpec, ensure_toy_city

SMALL = (
    "mask_net.network.encoder=test_resnet", "mask_net.network.channels=16", "mask_net.steps=3",
    "mask_net.windows.side=32", "mask_net.windows.images=2", "mask_net.windows.a_image=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What every stage is told. More images than one process would do alone."""
    root = tmp_path_factory.mktemp("city") / "data"
    ensure_toy_city(root, ToyCitySpec(height=64, width=96, train=10, val=1), processes=1)
    return ("data=toy_city", f"data.root={root}", "data.toy=null", "data.crop.height=40", "data.crop.width=60",
            "layout=released")  # fmt: skip


@pytest.fixture(scope="module")
def network(tmp_path_factory, told):
    out = tmp_path_factory.mktemp("network") / "out"
    assert run(*told, "stage=mask_net", *SMALL, f"run={out}") == []
    return out / "mask_net.pt"


def states(*paths):
    return [read_mask_net(path).network.state_dict() for path in paths]


def equal(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_same_settings_make_the_same_network_with_any_number_of_loaders(tmp_path, told, network):
    run(*told, "stage=mask_net", *SMALL, "mask_net.loaders=2", f"run={tmp_path / 'again'}")
    run(*told, "stage=mask_net", *SMALL, "mask_net.seed=1", f"run={tmp_path / 'other'}")
    ours, again, other = states(network, *(tmp_path / name / "mask_net.pt" for name in ("again", "other")))
    assert equal(ours, again)
    assert not equal(ours, other)


def test_network_that_is_there_is_kept_and_other_settings_are_refused(told, network):
    before = network.stat().st_mtime_ns
    run(*told, "stage=mask_net", *SMALL, f"run={network.parent}")
    assert network.stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"mask_net\.seed"):
        run(*told, "stage=mask_net", *SMALL, "mask_net.seed=1", f"run={network.parent}")


def test_training_goes_on_from_another_network(tmp_path, told, network):
    still = ("mask_net.optimizer.learning_rate=1e-9", "mask_net.optimizer.weight_decay=0")
    run(*told, "stage=mask_net", *SMALL, *still, f"mask_net.network.init={network}", f"run={tmp_path / 'on'}")
    first, second = states(network, tmp_path / "on" / "mask_net.pt")
    assert torch.allclose(first["mask_head.2.weight"], second["mask_head.2.weight"], atol=1e-6)
    with pytest.raises(DataError, match=r"mask_net.network.init=.*another encoder or width"):
        run(*told, "stage=mask_net", *SMALL, "mask_net.network.channels=24", f"mask_net.network.init={network}",
            f"run={tmp_path / 'wide'}")  # fmt: skip


@pytest.mark.usefixtures("quick_workers")
def test_masks_are_the_same_for_any_number_of_workers(tmp_path, told, network):
    asked = (*told, "stage=masks", "masks=network", f"masks.path={network}")
    run(*asked, f"run={tmp_path / 'one'}")
    run(*asked, "workers=2", f"run={tmp_path / 'two'}")
    # A map and a record an image.
    assert len(results(tmp_path / "one")) == 20
    assert results(tmp_path / "one") == results(tmp_path / "two")
    run(*told, "stage=masks", f"run={tmp_path / 'plain'}")
    assert results(tmp_path / "plain") != results(tmp_path / "one")


def test_network_file_is_read_only(tmp_path, told, network):
    before = hashlib.sha256(network.read_bytes()).hexdigest()
    run(*told, "stage=masks", "masks=network", f"masks.path={network}", f"run={tmp_path}")
    assert hashlib.sha256(network.read_bytes()).hexdigest() == before


def test_network_that_was_trained_again_is_noticed(tmp_path, told, network):
    path = tmp_path / "mask_net.pt"
    path.write_bytes(network.read_bytes())
    asked = (*told, "stage=masks", "masks=network", f"masks.path={path}", f"run={tmp_path / 'out'}")
    run(*asked)
    run(*asked)
    path.write_bytes(network.read_bytes() + b"more")
    with pytest.raises(RunError, match=r"masks\.path content: 'crc32 \w+' then, 'crc32 \w+' now"):
        run(*asked)


def test_what_cannot_be_trained_is_named(tmp_path, told):
    with pytest.raises(DataError, match=r"min_box=500: none of the 10 images"):
        run(*told, "stage=mask_net", *SMALL, "mask_net.windows.min_box=500", f"run={tmp_path / 'none'}")
    with pytest.raises(DataError, match=r"mask_net\.network\.init=missing.pth: no such weights file"):
        run(*told, "stage=mask_net", *SMALL, "mask_net.network.init=missing.pth", f"run={tmp_path / 'init'}")
    with pytest.raises(ConfigError, match="shard=0/2"):
        settings(*told, "stage=mask_net", "shard=0/2", f"run={tmp_path}")
    with pytest.raises(ConfigError, match=r"mask_net.steps=0: expected 1"):
        settings(*told, "stage=mask_net", "mask_net.steps=0", f"run={tmp_path}")
    with pytest.raises(ConfigError, match=r"masks.path=.*no such file"):
        run(*told, "stage=masks", "masks=network", "masks.path=missing.pt", f"run={tmp_path}")
