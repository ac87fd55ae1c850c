"""The package as `pip install .` gives it: built, unpacked and used away from the repository."""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder that a wheel was unpacked into, as installers do."""
    pytest.importorskip("hatchling")  # of the group dev
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("weakpan-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed, *arguments):
    """What Python prints with that package, started beside it."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, *arguments], cwd=installed.parent, env=environment, capture_output=True,
                          text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wheel_carries_every_configuration(installed):
    inside = {path.relative_to(installed / "weakpan") for path in (installed / "weakpan/conf").rglob("*.yaml")}
    assert inside == {path.relative_to(ROOT) for path in (ROOT / "conf").rglob("*.yaml")}


def test_a_wheel_carries_the_whole_package_and_nothing_else(installed):
    ours = {p.relative_to(ROOT) for p in (ROOT / "weakpan").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    conf = {Path("weakpan") / p.relative_to(ROOT) for p in (ROOT / "conf").rglob("*") if p.is_file()}
    inside = {p.relative_to(installed) for p in installed.rglob("*") if p.is_file()}
    assert {p for p in inside if not p.parts[0].endswith(".dist-info")} == ours | conf


def test_it_finds_its_configurations(installed):
    printed = run(installed, "-c", "from weakpan.config.location import conf_folder; print(conf_folder())")
    assert Path(printed.strip()) == installed / "weakpan/conf"


def test_it_composes_away_from_the_repository(installed):
    printed = run(installed, "-m", "weakpan.scripts.train", "--cfg", "job", "debug=fast", "run=there")
    assert "run: there" in printed.splitlines()


def test_its_commands_are_there(installed):
    (listed,) = installed.glob("*.dist-info/entry_points.txt")
    lines = [line.partition(" = ") for line in listed.read_text().splitlines() if " = " in line]
    assert [name for name, _, _ in lines] == ["weakpan-make-gt", "weakpan-predict", "weakpan-train"]
    for name, _, value in lines:
        assert callable(EntryPoint(name, value, "console_scripts").load())
