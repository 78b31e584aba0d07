"""What cannot be written or read is refused with the file, what was found, and what to do."""

import dataclasses
import importlib.util
import json
import tomllib
from pathlib import Path

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pymle
from pymle.stored import container, content
from pymle.stored.pack import Packer
from pymle.version import VERSION

DATA = np.array([1.0, 2.0, 4.0])


def simple(data=DATA, sd=1.0, name="mu", prior=10.0):
    with pm.Model() as model:
        mu = pm.Normal(name, 0, prior)
        pm.Normal("y", mu, sd, observed=data)
    return model


@pytest.fixture(scope="module")
def fit():
    return pymle.find_MLE(simple())


@pytest.fixture(scope="module")
def file(fit, tmp_path_factory):
    return fit.save(tmp_path_factory.mktemp("saved") / "fit.nc")


def test_endings(fit, tmp_path):
    with pytest.raises(pymle.StoredError, match=r"'.pkl'.*\.nc, .*\.zarr"):
        fit.save(tmp_path / "fit.pkl")
    with pytest.raises(pymle.StoredError, match="no ending"):
        pymle.load(tmp_path / "fit")


def test_an_existing_file_stays(fit, tmp_path):
    path = tmp_path / "fit.nc"
    path.write_text("mine")
    with pytest.raises(pymle.StoredError, match=r"exists already.*overwrite=True"):
        fit.save(path)
    assert path.read_text() == "mine"
    fit.save(path, overwrite=True)
    assert str(pymle.load(path)) == str(fit)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]


def test_an_existing_store_is_replaced(fit, tmp_path):
    path = fit.save(tmp_path / "fit.zarr")
    (path / "stranger").write_text("old")
    fit.save(path, overwrite=True)
    assert not (path / "stranger").exists()
    assert str(pymle.load(path)) == str(fit)


def test_a_failed_write_leaves_nothing(fit, tmp_path, monkeypatch):
    def fails(*args, **kwargs):
        raise OSError("no space left")

    path = fit.save(tmp_path / "fit.nc")
    before = path.read_bytes()
    monkeypatch.setattr(xr.DataTree, "to_netcdf", fails)
    with pytest.raises(pymle.StoredError, match=r"no space left.*untouched"):
        fit.save(path, overwrite=True)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(pymle.StoredError, match="could not be written"):
        fit.save(tmp_path / "no" / "such" / "folder.nc")


def test_missing_packages_are_named(fit, file, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    hidden = {"h5py", "netCDF4", "zarr"}
    monkeypatch.setattr(
        container.importlib.util,
        "find_spec",
        lambda name, *rest: None if name in hidden else found(name, *rest),
    )
    with pytest.raises(pymle.StoredError, match=r"h5netcdf h5py or netCDF4.*pip install h5netcdf"):
        fit.save(tmp_path / "fit.nc")
    with pytest.raises(pymle.StoredError, match="pip install h5netcdf"):
        pymle.load(file)
    with pytest.raises(pymle.StoredError, match="pip install zarr"):
        fit.save(tmp_path / "fit.zarr")


def test_netcdf4_takes_the_place_of_h5netcdf(fit, file, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        container.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "h5netcdf" else found(name, *rest),
    )
    assert str(pymle.load(fit.save(tmp_path / "fit.nc"))) == str(fit)
    assert str(pymle.load(file)) == str(fit)


def test_no_file(tmp_path):
    with pytest.raises(pymle.StoredError, match=r"no 'fit.nc' in '.*"):
        pymle.load(tmp_path / "fit.nc")


def test_something_else(tmp_path):
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(pymle.StoredError, match=r"text.nc' is no readable netCDF file"):
        pymle.load(tmp_path / "text.nc")
    tree = xr.DataTree.from_dict({"/posterior": xr.Dataset({"mu": ("draw", DATA)})})
    tree.to_netcdf(tmp_path / "draws.nc", engine="h5netcdf")
    with pytest.raises(pymle.StoredError, match=r"no fit saved by pymle \(its groups: `posterior`"):
        pymle.load(tmp_path / "draws.nc")


def test_a_file_of_a_later_version(fit, tmp_path, monkeypatch):
    monkeypatch.setattr(content, "FORMAT", 2)
    monkeypatch.setattr(content, "VERSION", "7.1")
    path = fit.save(tmp_path / "fit.nc")
    monkeypatch.undo()
    expected = r"fit.nc' has format 2, written by pymle 7.1; this version reads formats up to 1"
    with pytest.raises(pymle.StoredError, match=expected):
        pymle.load(path)


def rewritten(file, path, change):
    """A copy of a saved fit with something in it changed."""
    tree = xr.open_datatree(file, engine="h5netcdf").load()
    groups = {name: child.to_dataset() for name, child in tree.children.items()}
    change(groups)
    other = xr.DataTree.from_dict({f"/{name}": group for name, group in groups.items()})
    other.attrs.update(tree.attrs)
    tree.close()
    other.to_netcdf(path, engine="h5netcdf")
    return path


def test_changed_numbers_are_noticed(file, tmp_path):
    def nudge(groups):
        inner = groups["fit"]
        name = next(n for n in inner if inner[n].dtype == float)
        inner[name] = np.nextafter(inner[name], np.inf)

    with pytest.raises(pymle.StoredError, match="damaged: its numbers are not those"):
        pymle.load(rewritten(file, tmp_path / "a.nc", nudge))
    with pytest.raises(pymle.StoredError, match="damaged: its group 'fit' is gone"):
        pymle.load(rewritten(file, tmp_path / "b.nc", lambda groups: groups.pop("fit")))


def test_a_copy_by_other_software_reads(fit, file, tmp_path):
    copy = rewritten(file, tmp_path / "copy.nc", lambda _: None)
    assert str(pymle.load(copy)) == str(fit)


def test_a_file_runs_no_code(file):
    tree = xr.open_datatree(file, engine="h5netcdf")
    text = tree["fit"]["document"].values.astype(np.uint8).tobytes()
    tree.close()
    assert json.loads(text)["class"] == "Content"


def test_what_needs_the_model(file):
    saved = pymle.load(file)
    for name in ("profile", "bootstrap", "predict", "draws", "to_datatree", "lr_test", "save"):
        with pytest.raises(pymle.AnalysisError, match=rf"`{name}` needs the model.*model=model"):
            getattr(saved, name)
        assert not hasattr(saved, name)
    with pytest.raises(
        pymle.AnalysisError, match=r"`conf_int\(method=.profile.\)` needs the model"
    ):
        saved.conf_int(method="profile")
    with pytest.raises(pymle.AnalysisError, match="needs the model"):
        saved.summary(cov="sandwich")
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = saved.nonsense
    with pytest.raises(pymle.AnalysisError, match="unknown"):
        saved.summary("nonsense")


def test_another_model(file):
    with pytest.raises(
        pymle.StoredError, match=r"it has `nu` of shape \(\) where .* `mu` of shape"
    ):
        pymle.load(file, model=simple(name="nu"))
    with pytest.raises(pymle.StoredError, match="The data `y` are not the saved ones"):
        pymle.load(file, model=simple(data=DATA * (1 + 1e-6)))
    with pytest.raises(pymle.StoredError, match="a distribution, a prior or a formula has changed"):
        pymle.load(file, model=simple(sd=1.0 + 1e-6))
    # Its prior had no part in the fit.
    assert pymle.load(file, model=simple(prior=3.0)).loglik == pymle.load(file).loglik


def test_another_prior_of_a_map_fit(tmp_path):
    path = pymle.find_MAP(simple()).save(tmp_path / "map.nc")
    with pytest.raises(pymle.StoredError, match="a distribution, a prior or a formula has changed"):
        pymle.load(path, model=simple(prior=3.0))


def test_the_profile_of_a_rebuilt_fit_is_right(file):
    # Known standard deviation: limits are mean plus and minus 1.96 / sqrt(3).
    half = 1.959963984540054 / np.sqrt(3.0)
    found = pymle.load(file, model=simple()).profile("mu")
    assert found.lower == pytest.approx(DATA.mean() - half, rel=1e-6)
    assert found.upper == pytest.approx(DATA.mean() + half, rel=1e-6)


def test_the_version_is_that_of_the_package():
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"] == VERSION


def test_a_record_of_an_unknown_class_is_no_text():
    @dataclasses.dataclass
    class Unknown:
        value: int

    with pytest.raises(TypeError, match="records of the class Unknown cannot be written"):
        Packer({}).pack({"evidence": (Unknown(1),)})
