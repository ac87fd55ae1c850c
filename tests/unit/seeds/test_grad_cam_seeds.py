"""Grad-CAM as a source of seeds: its settings and what it writes."""

import numpy as np
import pytest
import torch

from weakpan.basics.catalog import TOY_CITY
from weakpan.basics.errors import ConfigError
from weakpan.config.objects import build
from weakpan.data.annotations import WeakAnnotations
from weakpan.data.crops import CropGrid
from weakpan.seeds import GradCamSeeds, PublishedRule, SeedJob, SeedSource


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"scales": []}, "seeds.scales"),
        ({"scales": [0]}, "seeds.scales"),
        ({"flip": "perhaps"}, "seeds.flip"),
        ({"rule": {"_target_": "weakpan.seeds.Competing", "threshold": 1.2}}, "seeds.rule.threshold"),
        ({"rule": {"_target_": "weakpan.seeds.Competing", "treshold": 1}}, "seeds.rule.treshold"),
        ({"rule": {"_target_": "weakpan.seeds.GradCamSeeds"}}, "seeds.rule"),
        (
            {"rule": {"_target_": "weakpan.seeds.Competing", "diffusion": {
                "_target_": "weakpan.refinement.DiffusionSettings", "reaches": [99]}}},
            "seeds.rule.diffusion.reaches",
        ),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_named_by_its_full_key(change, key):
    with pytest.raises(ConfigError) as caught:
        build(SeedSource, {"_target_": "weakpan.seeds.GradCamSeeds", **change}, "seeds")
    assert caught.value.key == key


@pytest.mark.parametrize("keep", [False, True])
def test_maps_are_written_and_heatmaps_where_they_are_wanted(tmp_path, keep):
    source, written = GradCamSeeds(PublishedRule(), [2.0], False, keep), {}

    def heatmaps(scales, flip, take):
        assert (scales, flip) == ([2.0], False)
        take({
            "image_id": "x", "image": torch.zeros(3, 4, 6, dtype=torch.uint8),
            "set_index": torch.ones(4, 6, dtype=torch.int32),
            "set_table": torch.ones(2, TOY_CITY.num_classes, dtype=torch.bool),
            "pairs": torch.tensor([[0, 3]]), "heatmaps": torch.ones(1, 2, 3),
        })  # fmt: skip

    # Of weights that are gone.
    stale = tmp_path / "heatmaps/x.npz"
    stale.parent.mkdir()
    stale.write_bytes(b"old")
    source.make(
        SeedJob(
            images=None,
            annotations=WeakAnnotations(TOY_CITY, CropGrid(4, 6), {}),
            ids=["x"],
            todo=["x"],
            write=written.__setitem__,
            each_image=None,
            masks=None,
            heatmaps=heatmaps,
            trainer=None,
            extra=tmp_path.joinpath,
            workers=1,
            seed=0,
        )
    )
    assert (written["x"] == 3).all()
    assert written["x"].dtype == np.uint8
    assert stale.is_file() == keep
    extra = source.extra_files(tmp_path.joinpath, TOY_CITY)
    assert extra.has("x") if keep else extra is None
