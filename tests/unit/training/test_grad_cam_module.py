"""Heatmaps of a trained classifier, as they are predicted."""

import pytest
import torch

from weakpan.models.crop_classifier import CropClassifier
from weakpan.training.grad_cam_module import GradCamModule

pytestmark = pytest.mark.usefixtures("seeded")

CLASSES = 5


def batch_of(tags):
    return {
        "image_id": ["x"],
        "image": [torch.zeros(3, 40, 60, dtype=torch.uint8)],
        "crops": torch.randint(0, 255, (len(tags), 3, 32, 48), dtype=torch.uint8),
        "tags": tags,
    }


def test_every_tagged_class_of_every_crop_has_a_heatmap_of_both_signs():
    batch = batch_of(torch.rand(3, CLASSES) > 0.5)
    found = GradCamModule(CropClassifier(CLASSES, "test_resnet")).eval().predict_step(batch, 0)
    assert found["image_id"] == "x"
    assert found["image"] is batch["image"][0]
    assert len(found["pairs"]) == len(found["heatmaps"]) == batch["tags"].sum()
    assert found["heatmaps"].min() < 0 < found["heatmaps"].max()


@pytest.mark.parametrize("sharpness", [0, 2])
def test_an_image_without_tags_has_no_heatmaps(sharpness):
    network = CropClassifier(CLASSES, "test_resnet", sharpness=sharpness)
    batch = batch_of(torch.zeros(2, CLASSES, dtype=torch.bool))
    found = GradCamModule(network, [1.0, 1.5], True).eval().predict_step(batch, 0)
    assert found["pairs"].shape == (0, 2)
    assert len(found["heatmaps"]) == 0


def test_heatmaps_are_averaged_over_scales_and_mirror_images():
    network = CropClassifier(CLASSES, "test_resnet")
    batch = batch_of(torch.ones(2, CLASSES, dtype=torch.bool))
    mirrored = {**batch, "crops": batch["crops"].flip(-1)}

    def heatmaps(scales, flip=False, of=batch):
        return GradCamModule(network, scales, flip).eval().predict_step(of, 0)["heatmaps"]

    plain, other = heatmaps([1.0]), heatmaps([1.0], of=mirrored).flip(-1)
    assert (plain - other).abs().max() > 1e-6
    torch.testing.assert_close(heatmaps([1.0], flip=True), (plain + other) / 2)
    double = heatmaps([2.0])
    assert double.shape[1:] == (4, 6)
    enlarged = torch.nn.functional.interpolate(plain[None], (4, 6), mode="bilinear")[0]
    torch.testing.assert_close(heatmaps([1.0, 2.0]), (enlarged + double) / 2)
