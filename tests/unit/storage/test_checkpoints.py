"""Checkpoints are whole, or they are known not to be."""

import errno
import resource

import pytest
import torch

from weakpan.basics.errors import DataError
from weakpan.storage.checkpoints import WholeCheckpoints, refuse_damaged, resume_point


@pytest.fixture
def path(tmp_path):
    WholeCheckpoints().save_checkpoint({"state": torch.arange(5000.0), "epoch": 3}, tmp_path / "resume.ckpt")
    return tmp_path / "resume.ckpt"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-500])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def test_a_whole_checkpoint_is_gone_on_from(path):
    refuse_damaged(path)
    assert resume_point(path) == path
    assert torch.load(path, weights_only=True)["epoch"] == 3
    assert [p.name for p in path.parent.iterdir()] == ["resume.ckpt"]


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty])
def test_a_damaged_checkpoint_is_named_and_not_gone_on_from(path, damage, capsys):
    damage(path)
    with pytest.raises(DataError, match=r"resume\.ckpt: .*delete"):
        refuse_damaged(path)
    assert resume_point(path) is None
    assert not path.exists()
    shown = capsys.readouterr().err
    assert "resume.ckpt" in shown
    assert "begins again from its first epoch" in shown


def test_no_checkpoint_is_no_fault(tmp_path, capsys):
    assert resume_point(tmp_path / "resume.ckpt") is None
    assert capsys.readouterr().err == ""
    with pytest.raises(DataError, match="no such checkpoint"):
        refuse_damaged(tmp_path / "last.ckpt")


def test_a_writer_that_is_killed_leaves_the_checkpoint_before(path, monkeypatch):
    before = path.read_bytes()

    def cut_short(_, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", cut_short)
    with pytest.raises(KeyboardInterrupt):
        WholeCheckpoints().save_checkpoint({}, path)
    assert path.read_bytes() == before


def test_storage_options_are_refused(tmp_path):
    with pytest.raises(TypeError, match="storage_options"):
        WholeCheckpoints().save_checkpoint({}, tmp_path / "a.ckpt", storage_options={"a": 1})


@pytest.mark.parametrize("room", [0, 100, 4096, 20_000])
def test_a_checkpoint_that_finds_no_room_says_so_and_leaves_nothing(tmp_path, room):
    """The system refuses to let files grow further, as a full disk does, at the first write or in the middle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match=r"resume\.ckpt") as caught:
            WholeCheckpoints().save_checkpoint({"state": torch.arange(50_000.0)}, tmp_path / "resume.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []
