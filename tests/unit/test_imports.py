"""Imports go one way: nothing imports what lies above it."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "weakpan"
CONF = PACKAGE.parent / "conf"
ORDER = (
    ("basics",),
    ("models", "refinement", "storage"),
    ("parallel",),
    ("data", "toy_city"),
    ("masks", "seeds", "labels"),
    ("training", "report", "evaluation"),
    ("config", "callbacks"),
    ("tasks",),
    ("audit",),
    ("stages",),
    ("rounds", "make_gt", "predict"),
    ("job",),
    ("scripts",),
)
"""Lowest first; the members of a level may not import each other."""

LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}

FORBIDDEN = {
    "models": {"pytorch_lightning", "hydra", "omegaconf", "wandb", "cv2"},
    "labels": {"torch", "pytorch_lightning", "hydra", "omegaconf", "timm"},
    "evaluation": {"torch", "pytorch_lightning", "hydra", "omegaconf", "timm"},
    "masks": {"pytorch_lightning", "timm", "torchvision", "hydra", "omegaconf"},
    "seeds": {"pytorch_lightning", "timm", "torchvision", "hydra", "omegaconf"},
    "refinement": {"pytorch_lightning", "timm", "torchvision", "hydra", "omegaconf"},
    "data": {"hydra", "omegaconf", "timm", "wandb"},
    "report": {"torch", "pytorch_lightning", "hydra", "omegaconf"},
}
"""Libraries that a room must do without."""

NOT_IN_WORKERS = (
    "tasks/masks.py", "tasks/labels.py", "tasks/annotations.py",
    "masks/__init__.py", "masks/source.py",
    "config/make_gt.py", "data/derive.py", "toy_city/city.py", "labels/pipeline.py", "labels/trail_store.py",
    "evaluation/label_quality.py", "audit/audit_masks.py", "audit/audit_seeds.py", "seeds/heatmaps.py",
    "seeds/source.py", "tasks/seeds.py",
)  # fmt: skip
"""What worker processes import must stay clear of torch, which costs each of them seconds."""

READ_GROUND_TRUTH = (
    "data/derive.py", "tasks/annotation_source.py",  # once, for boxes and tags
    "stages/experiment.py",  # checks, and images with full supervision
    "evaluation/label_quality.py", "callbacks/score.py", "stages/score.py", "stages/gallery.py",
    "audit/scored_images.py", "predict/photographs.py",  # scores
)  # fmt: skip
"""All that may read label maps: not what makes masks, seeds or labels, nor what trains on them."""

BEFORE_WORK = (
    "scripts/train.py", "scripts/predict.py", "scripts/make_gt.py",
    "config/train_checks.py", "config/predict.py", "config/command_line.py", "job/make_gt.py", "seeds/__init__.py",
    "tasks/seeds_from_heatmaps.py",
)  # fmt: skip
"""So must what finds out that a command is wrong, and stages that need no network."""


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path, in_functions=True):
    """Names of the modules that a file imports, wherever the statement stands or only when it is imported itself.

    What is imported for types alone is left out.
    """
    names, tree = [], ast.parse(path.read_text(encoding="utf-8"))
    for node in [n for n in ast.walk(tree) if isinstance(n, ast.If)]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree) if in_functions else tree.body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names += [node.module] if node.module != "weakpan" else [f"weakpan.{a.name}" for a in node.names]
    return names


STARTED = {"weakpan.job.rank_process"}
"""Programs: processes of their own, named where they are started."""

DOTTED = re.compile(r"weakpan(\.\w+)+")


def named(path):
    """Dotted names of our own in string constants of a module: of modules that are imported later, and `_target_`s."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    found = [value for value in values if isinstance(value, str) and DOTTED.fullmatch(value)]
    return [value for value in found if not value.endswith(".log")]  # a file


OF_TENSORS = {f"weakpan.refinement.{name}" for name in ("bands", "pixel_adaptive", "seed_mixture", "tag_posterior")}
"""Imported by label rules when they are called with tensors: whoever has these has torch."""


def module_of(name):
    """The file of the longest part of a dotted name that is a module; the rest is looked for in its text."""
    parts = name.split(".")
    for count in range(len(parts), 1, -1):
        near = PACKAGE.parent / Path(*parts[:count])
        for path in (near.with_suffix(".py"), near / "__init__.py"):
            if path.is_file():
                return path, parts[count:]
    raise AssertionError(f"{name}: there is no such module")


def assert_there(name):
    path, rest = module_of(name)
    assert len(rest) <= 1, f"{name}: only {path} is there"
    for attribute in rest:
        assert re.search(rf"\b{attribute}\b", path.read_text(encoding="utf-8")), f"{path} has no {attribute}"


def targets_in_conf():
    """Values of `_target_` in all YAML files."""
    found = re.compile(r"_target_: *[\"']?([\w.]+)")
    return [(path, name) for path in sorted(CONF.rglob("*.yaml")) for name in found.findall(path.read_text("utf-8"))]


def test_what_is_named_by_a_string_is_there():
    names = [(path, name) for path in modules() for name in named(path)]
    assert any(name == "weakpan.masks.sam_predictor" for _, name in names)
    for _, name in names:
        assert_there(name)


def test_targets_in_the_configuration_are_there():
    targets = targets_in_conf()
    assert any(name.startswith("weakpan.masks.") for _, name in targets)
    for path, name in targets:
        if name.startswith("weakpan."):
            assert_there(name)
        else:
            assert find_spec(name.split(".")[0]) is not None, f"{path}: {name}"


def test_every_room_has_a_level():
    assert {room_of(p) for p in modules()} - {"__init__"} <= set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_imports_from_above(path):
    room = room_of(path)
    for name in {*imported(path), *named(path)} - STARTED:
        if name.startswith("weakpan.") and name != "weakpan.__version__":
            other = name.split(".")[1]
            assert other == room or LEVEL[other] < LEVEL[room], f"{room} imports {name}"


@pytest.mark.parametrize("room", FORBIDDEN)
def test_rooms_do_without_some_libraries(room):
    for path in modules():
        if room_of(path) == room:
            used = {name.split(".")[0] for name in imported(path)}
            # Grad-CAM works on tensors, the loaders of `data` are Lightning's: those are not in the lists above.
            assert not used & FORBIDDEN[room], f"{path} imports {used & FORBIDDEN[room]}"


def test_networks_know_nothing_but_errors_settings_and_panoptic_maps():
    allowed = {f"weakpan.basics.{name}" for name in ("errors", "panoptic", "arrays", "settings")}
    for path in modules():
        if room_of(path) == "models":
            ours = {n for n in imported(path) if n.startswith("weakpan.") and not n.startswith("weakpan.models")}
            assert ours <= allowed, f"{path} imports {ours - allowed}"


def refuse_torch(start, in_functions):
    """Follow the imports of a file."""
    seen, todo = set(), [PACKAGE / start]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        called_later = OF_TENSORS - set(imported(path, in_functions=False)) if room_of(path) == "labels" else set()
        for name in set(imported(path, in_functions)) - called_later:
            assert name.split(".")[0] not in ("torch", "pytorch_lightning"), f"{start} reaches {path}, which does"
            if name.startswith("weakpan."):
                near = PACKAGE.parent / Path(*name.split("."))
                todo += [p for p in (near.with_suffix(".py"), near / "__init__.py") if p.is_file()]
    assert len(seen) > 1


@pytest.mark.parametrize("start", NOT_IN_WORKERS)
def test_worker_processes_do_not_import_torch(start):
    refuse_torch(start, in_functions=True)


@pytest.mark.parametrize("start", BEFORE_WORK)
def test_a_wrong_command_is_refused_before_torch_is_imported(start):
    refuse_torch(start, in_functions=False)


def test_few_modules_read_ground_truth():
    found = {str(p.relative_to(PACKAGE)) for p in modules() if "weakpan.data.ground_truth" in imported(p)}
    assert found == set(READ_GROUND_TRUTH)


def test_nothing_imports_the_scripts():
    scripts = {"train", "predict", "make_gt"}
    assert not {(p, n) for p in modules() for n in imported(p) if n.split(".")[0] in scripts}
