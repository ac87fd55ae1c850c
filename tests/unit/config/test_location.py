"""The shipped configurations are found wherever the package is."""

import weakpan.config.location
from weakpan.config.location import conf_folder


def test_in_a_checkout_it_lies_beside_the_package(request):
    assert conf_folder() == request.config.rootpath / "conf"
    assert (conf_folder() / "train.yaml").is_file()


def test_in_an_installed_package_it_lies_inside(tmp_path, monkeypatch):
    monkeypatch.setattr(weakpan.config.location, "_PACKAGE", tmp_path / "weakpan")
    (tmp_path / "weakpan/conf").mkdir(parents=True)
    (tmp_path / "conf").mkdir()  # of somebody else
    assert conf_folder() == tmp_path / "weakpan/conf"
