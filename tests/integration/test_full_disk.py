"""A disk that is really full: a file system of a few megabytes, in a mount namespace of the test's own."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.integration.jobs import command, run_job
from tests.integration.loop_in_process import ROOT, assert_same_maps, assert_same_weights
from tests.integration.scripts import environment

ROOM = 16
"""Megabytes of the file system: more than the tiny run needs."""


def in_namespace(script, folder):
    """Run a shell script that may mount; what it mounts is gone with it."""
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size={ROOM}m tmpfs {folder} && {script}"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    if shutil.which("unshare") is None or in_namespace("true", folder).returncode != 0:
        pytest.skip("nothing may be mounted here")
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, city):
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    run_job(command(run, city))
    return run


FILL = "head -c $(( ($(stat -f -c %f .) - {free}) * $(stat -f -c %S .) )) /dev/zero > ballast"
"""Leave so many blocks."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "free", "stage", "file"),
    [
        # A checkpoint of the first training, which torch writes; one label map of a thread of either rank.
        (None, 100, "classifier", r"run/classifier/resume\.ckpt"),
        ("rounds.n=1", 5, "round 0 relabel", r"run/round_01/labels/toyville_\d+_\d+_(semantic|instances)\.png"),
    ],
)
def test_a_job_ends_and_goes_on_when_there_is_room(tmp_path, disk, city, undisturbed, before, free, stage, file):
    arguments = shlex.join([sys.executable, *command(disk / "run", city)])
    script = [
        f"({arguments} {before} > {tmp_path}/before.log 2>&1)" if before else ":",
        f"(cd {disk}; {FILL.format(free=free)})",
        f"({arguments} > {tmp_path}/full.log 2>&1; echo $? > {tmp_path}/status)",
        f"(cd {disk}; find . -type f > {tmp_path}/files; rm ballast)",
        f"{arguments} > {tmp_path}/after.log 2>&1",
        f"cp -r {disk}/run {tmp_path}/run",
    ]
    done = in_namespace(" && ".join(script), disk)
    log = (tmp_path / "full.log").read_text() if (tmp_path / "full.log").exists() else ""
    assert done.returncode == 0, done.stderr + log[-3000:]
    assert (tmp_path / "status").read_text().strip() == "2", log[-3000:]
    # When it was rank 1, rank 0 still says that it ended.
    last = "\n".join(log.strip().splitlines()[-2:])
    room = rf"no space left on file system {disk} \({ROOM}\.0 MB, .*start the same command again"
    assert re.search(rf"error: rank [01] of 2, stage '{stage}': .*{disk}/{file}.*{room}", last), last
    left = (tmp_path / "files").read_text().splitlines()
    assert not [name for name in left if re.search(r"/\.[^/]*\.\d+-[0-9a-f]{8}", name)]
    assert "./run/round_01/labels/manifest.json" not in left
    assert_same_maps(tmp_path / "run", undisturbed)
    assert_same_weights(tmp_path / "run", undisturbed)
