"""Documents say what is true: commands compose, files and functions are there, examples are those that are tested."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from docs.draw_rooms import OUT, draw_rooms
from tests.unit.test_imports import ORDER
from weakpan.config.command_line import to_overrides
from weakpan.config.compose import register
from weakpan.config.make_gt import MakeGtConfig, to_make_gt_config
from weakpan.config.predict import PredictConfig, to_predict_config
from weakpan.config.train import TrainConfig
from weakpan.config.train_checks import to_train_config

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
SCRIPTS = {
    "train": (TrainConfig, to_train_config),
    "make_gt": (MakeGtConfig, to_make_gt_config),
    "predict": (PredictConfig, to_predict_config),
}

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SETTING = re.compile(r"[\w.@]+=.+")
PLACEHOLDER = re.compile(r"([A-Z][A-Z_]*)=.*")
REFERENCE = re.compile(r"`?((?:weakpan|tests|conf|docs|benchmarks)/[\w./]*\w\.\w+)(?::(\w+(?:\.\w+)?))?")
LINK = re.compile(r"\]\(([^)#:]+)?(?:#([\w.-]+))?\)")
NEEDED = {
    "train": {"run": "run"},
    "make_gt": {"stage": "masks", "run": "run"},
    "predict": {"run": "run", "input": "images", "out": "out"},
}
"""Values for what a setting in the middle of a sentence leaves out."""


MY_PACKAGE = """
from dataclasses import dataclass
from pathlib import Path

import weakpan.masks
from weakpan.labels import MapRule
from weakpan.training.losses import LossTerm


@dataclass(frozen=True)
class MyRule(MapRule):
    share: float = 0.5

    def __call__(self, semantic, context):
        return semantic


class MyContours(weakpan.masks.Contours):
    def __call__(self, pixels): ...


class Mine(LossTerm): ...
"""


def blocks(page, *languages):
    return [m[3] for m in FENCE.finditer(page.read_text(encoding="utf-8")) if m[2] in languages]


def commands():
    """Script and arguments of every command in a fenced block."""
    found = []
    for page in PAGES:
        for block in blocks(page, "", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                for position, word in enumerate(words):
                    script = Path(word).name.removesuffix(".py")
                    if word.endswith(".py") and script in SCRIPTS:
                        found.append((page.name, script, tuple(words[position + 1 :])))
    return found


def spans():
    """Settings in the middle of sentences: spans that hold nothing else, by page."""
    found = {}
    for page in PAGES:
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for span in SPAN.findall(text):
            try:
                words = tuple(shlex.split(" ".join(span.split())))
            except ValueError:
                continue
            if all(SETTING.fullmatch(word) and not PLACEHOLDER.fullmatch(word) for word in words):
                found.setdefault(words, page.name)
    return sorted((page, words) for words, page in found.items())


COMMANDS, SPANS = commands(), spans()


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """A place with everything that commands name and that is looked for before the data is."""
    (tmp_path / "RESULTS").mkdir()
    # Code of a reader's own, as documents call it.
    (tmp_path / "my_package.py").write_text(MY_PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEAKPAN_STAMP", "now")


def jobs(arguments):
    """Overrides of the first and the last job of a sweep, or of the one job that there is."""
    parsed = OverridesParser.create().parse_overrides(to_overrides(arguments))
    choices = [list(o.sweep_string_iterator()) if o.is_sweep_override() else [None] for o in parsed]
    for index in (0, -1) if any(len(c) > 1 for c in choices) else (0,):
        yield [
            o.input_line if values[index] is None else f"{o.input_line.partition('=')[0]}={values[index]}"
            for o, values in zip(parsed, choices, strict=True)
        ]


def check(script, arguments):
    schema, to_config = SCRIPTS[script]
    register(f"{script}_schema", schema)
    for overrides in jobs(arguments):
        # Of the folder of a data set nothing is read here.
        absent = [] if script == "predict" or any("data.root=" in o for o in overrides) else ["data.root=DATA"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            to_config(compose(script, [*absent, *overrides]))


def test_there_are_commands_and_settings():
    assert {script for _, script, _ in COMMANDS} == set(SCRIPTS)
    assert len(COMMANDS) > 20
    assert len(SPANS) > 40


@pytest.mark.parametrize(("page", "script", "arguments"), COMMANDS, ids=lambda v: v if isinstance(v, str) else None)
def test_commands_compose_and_are_accepted(page, script, arguments):  # noqa: ARG001
    words, options = [], iter(arguments)
    for word in options:
        if word in ("--cfg",):
            next(options)
        elif not word.startswith("-"):
            words.append(word)
    check(script, words)


@pytest.mark.parametrize(("page", "words"), SPANS, ids=lambda v: v if isinstance(v, str) else " ".join(v))
def test_settings_in_sentences_are_accepted_by_a_script(page, words):  # noqa: ARG001
    given, errors = {word.partition("=")[0] for word in words}, []
    for script, needed in NEEDED.items():
        rest = [f"{key}={value}" for key, value in companions(script, needed, words).items() if key not in given]
        try:
            check(script, [*rest, *words])
        except Exception as error:  # whatever Hydra raises
            errors.append(f"{script}: {error}")
        else:
            return
    pytest.fail("\n".join(errors))


def companions(script, needed, words):
    """What a setting needs beside it and the sentence takes for granted."""
    text, more = " ".join(words), dict(needed)
    if script == "make_gt":
        of_stage = {"mat=true": "annotations", "coco=true": "labels"}
        more["stage"] = next((stage for word, stage in of_stage.items() if word in words), "masks")
    if script == "predict":
        if "checkpoint=" in text:
            del more["run"]
        if "split=" in text:
            del more["input"]
        return more
    if "=coco" in text and "masks=coco" not in text:
        more["data.coco"] = "panoptic.json"
    if any(f"masks={name}" in text for name in ("coco", "ids", "mcg", "network", "released", "sam")):
        more["masks.path"] = "somewhere"
    for place, group in (
        ("masks.path", "sam"), ("masks.template", "coco"), ("masks.weight", "network"), ("masks.min_iou", "mcg"),
    ):  # fmt: skip
        if place in text and "masks=" not in text:
            more |= {"masks": group, "masks.path": "somewhere"}
    if "logger.wandb" in text:
        more["logger"] = "wandb"
    return more


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_and_functions_that_are_named_are_there(page):
    for name, symbol in REFERENCE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        path = ROOT / name
        assert path.is_file(), f"{page.name} names {name}"
        for part in symbol.split(".") if symbol else ():
            text = path.read_text(encoding="utf-8")
            assert re.search(rf"^ *(def|class) {part}\b|^{part} = ", text, re.MULTILINE), (
                f"{page.name}: {name}:{symbol}"
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for name, anchor in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {name}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{page.name} links to {name}#{anchor}; there are {sorted(anchors)}"


def test_the_list_of_rooms_is_complete_and_in_order():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    listed = [name.rstrip("/").removesuffix(".py") for name in re.findall(r"^\| `([\w./]+)` \|", text, re.MULTILINE)]
    assert sorted(listed) == sorted(room for rooms in ORDER for room in rooms)
    level = {room: index for index, rooms in enumerate(ORDER) for room in rooms}
    assert [level[room] for room in listed] == sorted(map(level.get, listed))


def test_walks_have_eight_hops_at_most():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    walks = re.findall(r"^### .+?(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(walks) == 3
    for walk in walks:
        assert 3 <= len(re.findall(r"^\d\. ", walk, re.MULTILINE)) <= 8


def test_the_picture_of_the_rooms_is_current():
    assert OUT.read_text(encoding="utf-8") == draw_rooms(), "run python -m docs.draw_rooms"


EXAMPLES = re.compile(r"\(\.\./(tests/extension/[\w.]+)\)(?:(?!```).)*```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_examples_are_those_that_are_tested():
    """Each block of code after a link to a file of tests/extension is a part of it, blank lines and margins apart."""
    found = EXAMPLES.findall((ROOT / "docs/extending.md").read_text(encoding="utf-8"))
    python = blocks(ROOT / "docs/extending.md", "python", "json")
    assert len(found) == len(python) >= 7
    for name, _, block in found:
        assert _squeezed(block) in _squeezed((ROOT / name).read_text(encoding="utf-8")), f"not in {name}:\n{block}"


def _squeezed(text):
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
