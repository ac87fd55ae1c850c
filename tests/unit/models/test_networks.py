"""Shapes, strides and weights of the networks."""

import itertools

import pytest
import timm
import torch

from weakpan.basics.errors import ConfigError, DataError
from weakpan.models.crop_classifier import CropClassifier
from weakpan.models.encoder import Encoder, Normalise, create_timm, freeze_batch_norm, load_matching, read_state_dict
from weakpan.models.panoptic_net import PanopticNet, PanopticOutput
from weakpan.models.pspnet import PyramidPooling, grid_average

pytestmark = pytest.mark.usefixtures("seeded")

TINY = "test_resnet"


def tiny_net(**more):
    return PanopticNet(5, TINY, channels=16, **{"output_stride": 16, "finest_stride": 4, **more})


# A map of a single pixel has no variance to train BatchNorm on, so the smallest size is for prediction only.
@pytest.mark.parametrize(
    ("size", "training"),
    [*itertools.product([(64, 96), (63, 97), (33, 50)], [True, False]), ((7, 5), False)],
)
def test_any_size_and_a_batch_of_one(size, training):
    net = tiny_net().train(training)
    output = net(torch.rand(1, 3, *size))
    height, width = (-(-n // 4) for n in size)
    assert output.semantic.shape == (1, 5, height, width)
    assert output.centre.shape == (1, 1, height, width)
    assert output.offset.shape == (1, 2, height, width)
    assert output.auxiliary is None
    assert all(torch.isfinite(o).all() for o in output[:3])


def test_every_parameter_learns():
    net = tiny_net(auxiliary=True).train()
    output = net(torch.rand(2, 3, 48, 48))
    sum(o.square().mean() for o in output).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_the_auxiliary_classifier_only_trains():
    net = tiny_net(auxiliary=True)
    assert net.train()(torch.rand(2, 3, 64, 64)).auxiliary.shape[:2] == (2, 5)
    assert net.eval()(torch.rand(2, 3, 64, 64)).auxiliary is None


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_the_output_stride_is_that_of_the_last_level(stride):
    encoder = Encoder(TINY, None, stride)
    levels = encoder(torch.rand(1, 3, 64, 64))
    assert encoder.strides[-1] == stride
    assert [64 // level.shape[-1] for level in levels] == list(encoder.strides)
    assert [level.shape[1] for level in levels] == list(encoder.channels)


def test_without_finer_levels_the_result_stays_at_the_output_stride():
    net = tiny_net(output_stride=8, finest_stride=8)
    assert net.skip_levels == []
    assert net.eval()(torch.rand(1, 3, 64, 64)).semantic.shape[-2:] == (8, 8)


def test_images_do_not_influence_each_other_in_evaluation():
    net, images = tiny_net().eval(), torch.rand(3, 3, 48, 64)
    together = net(images)
    for k in range(3):
        for one, all_of_them in zip(net(images[k : k + 1])[:3], together[:3], strict=True):
            torch.testing.assert_close(one[0], all_of_them[k], rtol=1e-4, atol=1e-5)


def test_normalisation_is_part_of_the_network():
    layer = Normalise((0.5, 0.25, 0.0), (0.5, 0.25, 1.0))
    image = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1)
    assert layer(image).flatten().tolist() == [1.0, 1.0, 0.25]
    assert "encoder.normalise.mean" in tiny_net().state_dict()


@pytest.mark.parametrize(("height", "width"), [(6, 6), (7, 12), (2, 9), (1, 1)])
def test_pooling_grids_fit_small_maps(height, width):
    features = torch.rand(1, 8, height, width)
    for cells in (1, 2, 3, 6):
        assert grid_average(features, cells).shape[-2:] == (min(cells, height), min(cells, width))
    torch.testing.assert_close(grid_average(features, 1)[..., 0, 0], features.mean(dim=(2, 3)))
    assert PyramidPooling(8, 4).eval()(features).shape == (1, 4, height, width)


def test_the_classifier_is_its_two_halves():
    net = CropClassifier(7, TINY, output_stride=16).eval()
    crops = torch.rand(3, 3, 48, 64)
    features = net.features(crops)
    assert features.shape[-2:] == (3, 4)
    assert net(crops).shape == (3, 7)
    torch.testing.assert_close(net.head(features), net(crops))


def test_sharp_pooling_lies_between_the_mean_and_the_maximum_of_the_places():
    torch.manual_seed(0)
    crops = torch.rand(2, 3, 48, 64)
    nets = {r: CropClassifier(7, TINY, output_stride=16, dropout=0, sharpness=r).eval() for r in (0, 1e-3, 2, 1e3)}
    for net in nets.values():
        net.load_state_dict(nets[0].state_dict())
    features = nets[0].features(crops)
    places = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1], 1, 1)
    logits = nets[0].head(places).reshape(2, -1, 7)
    torch.testing.assert_close(nets[1e-3](crops), logits.mean(dim=1), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(nets[1e3](crops), logits.amax(dim=1), atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(nets[2](crops), (2 * logits).exp().mean(dim=1).log() / 2)
    # The head of this network is linear behind its average, so that the average of the places is its own answer.
    torch.testing.assert_close(nets[0](crops), logits.mean(dim=1), atol=1e-4, rtol=1e-4)


def test_a_negative_sharpness_is_refused():
    with pytest.raises(ConfigError) as caught:
        CropClassifier(3, TINY, sharpness=-1)
    assert caught.value.key == "sharpness"


@pytest.mark.parametrize(
    "arguments",
    [{"output_stride": 7}, {"finest_stride": 0}, {"channels": 0}, {"bins": []}, {"bins": [2, 0]}, {"dropout": 2}],
    ids=str,
)
def test_a_value_out_of_range_names_its_key(arguments):
    with pytest.raises(ConfigError) as caught:
        PanopticNet(3, TINY, **arguments)
    assert caught.value.key == next(iter(arguments))


def test_every_part_of_the_network_serves_a_field_of_its_output():
    net = PanopticNet(3, TINY, channels=16, auxiliary=True)
    assert {part for parts in net.branches.values() for part in parts} == {name for name, _ in net.named_children()}
    assert set(net.branches) == set(PanopticOutput._fields)


def test_frozen_batch_norm_has_no_gradients_and_keeps_its_statistics():
    net = tiny_net().train()
    freeze_batch_norm(net)
    before = {k: v.clone() for k, v in net.state_dict().items() if "running" in k}
    net(torch.rand(2, 3, 48, 48)).semantic.sum().backward()
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(p.requires_grad or p.grad is not None for m in norms for p in m.parameters())
    for key, value in before.items():
        torch.testing.assert_close(net.state_dict()[key], value, rtol=0, atol=0)


def test_unknown_encoders_and_strides_name_the_key():
    with pytest.raises(ConfigError, match="no such timm model") as caught:
        create_timm("resnet9000", None)
    assert (caught.value.key, caught.value.found) == ("encoder", "resnet9000")
    with pytest.raises(ConfigError, match="cannot be built") as caught:
        create_timm("test_vit", None, output_stride=8)
    assert caught.value.key == "encoder"


class TestInitialWeights:
    """Weights from a file."""

    @pytest.fixture
    def donor(self):
        torch.manual_seed(1)
        return timm.create_model(TINY, num_classes=9)

    @pytest.fixture
    def path(self, tmp_path, donor):
        torch.save(donor.state_dict(), tmp_path / "weights.pth")
        return tmp_path / "weights.pth"

    def test_the_classifier_takes_all_but_the_head(self, donor, path):
        net = CropClassifier(4, TINY, init=str(path)).body
        taken = {k for k, v in donor.state_dict().items() if torch.equal(v, net.state_dict()[k])}
        assert set(donor.state_dict()) - taken <= {"fc.weight", "fc.bias"}
        assert net.fc.weight.shape[0] == 4

    @pytest.mark.parametrize("stride", [8, 32])
    def test_the_segmenter_sees_the_same_features(self, donor, path, stride):
        encoder = Encoder(TINY, str(path), stride).eval()
        own = dict(encoder.body.named_parameters())
        assert torch.equal(own["conv1.0.weight" if "conv1.0.weight" in own else "conv1.weight"],
                           next(iter(donor.parameters())))  # fmt: skip
        if stride == 32:
            images = torch.rand(1, 3, 64, 64)
            expected = donor.eval().forward_features(encoder.normalise(images))
            torch.testing.assert_close(encoder(images)[-1], expected)

    def test_a_checkpoint_under_state_dict_is_read_too(self, donor, tmp_path):
        torch.save({"state_dict": donor.state_dict(), "epoch": 3}, tmp_path / "c.ckpt")
        assert set(read_state_dict(tmp_path / "c.ckpt", "k")) == set(donor.state_dict())

    def test_a_few_missing_tensors_are_forgiven(self, donor, tmp_path):
        state = {k: v for k, v in donor.state_dict().items() if "num_batches_tracked" not in k}
        state.pop(next(iter(state)))
        torch.save(state, tmp_path / "w.pth")
        model = timm.create_model(TINY, num_classes=2)
        load_matching(model, tmp_path / "w.pth", "segmenter.init")
        name = [k for k in state if "weight" in k and not k.startswith("fc")][-1]
        assert torch.equal(model.state_dict()[name], state[name])

    def test_half_of_the_tensors_are_not_enough(self, donor, tmp_path):
        state = donor.state_dict()
        torch.save(dict(list(state.items())[: len(state) // 2]), tmp_path / "w.pth")
        with pytest.raises(DataError, match=r"segmenter\.init=.*w\.pth: only \d+% .*another architecture"):
            load_matching(timm.create_model(TINY), tmp_path / "w.pth", "segmenter.init")

    def test_another_architecture_is_refused(self, path):
        model = timm.create_model("resnet10t")
        before = {k: v.clone() for k, v in model.state_dict().items()}
        with pytest.raises(DataError, match=r"classifier\.init=.*weights\.pth.*another architecture"):
            load_matching(model, path, "classifier.init")
        assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())

    @pytest.mark.parametrize("content", [None, b"", b"not weights", [1, 2], {"state_dict": 3}, {"a": "b"}])
    def test_what_is_no_state_dict_is_named(self, tmp_path, content):
        path = tmp_path / "w.pth"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            torch.save(content, path)
        with pytest.raises(DataError) as caught:
            create_timm(TINY, str(path))
        assert (caught.value.key, caught.value.found) == ("init", path)
