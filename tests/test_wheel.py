"""The wheel has all that the command needs: installed by itself, it writes what the checkout writes."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(*arguments, cwd):
    """Return what a command prints, outside of the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


def test_wheel_holds_the_package_and_its_templates(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "flatgrad").rglob("*.py")}
    templates = {f"flatgrad/templates/{path.name}" for path in (ROOT / "templates").iterdir()}
    assert held == package | templates | {"flatgrad/py.typed"}


def test_sdist_gives_the_same_wheel(wheel, tmp_path):
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    (sdist,) = tmp_path.glob("*.tar.gz")
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, sdist, cwd=tmp_path)
    (again,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert {name: one.read(name) for name in one.namelist()} == {
            name: other.read(name) for name in other.namelist()
        }


def test_installed_wheel_writes_what_the_checkout_writes(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    run(*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # the dependencies come from the environment of the tests; an editable flatgrad in it is not seen from here
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(python, "-c", "import flatgrad; print(flatgrad.__file__)", cwd=tmp_path)
    assert Path(where.strip()).parent.parent == packages
    example = ROOT / "examples" / "neuron.py"
    written = run(tmp_path / "env" / "bin" / "flatgrad", "emit", example, cwd=tmp_path)
    assert written == run(sys.executable, "-m", "flatgrad", "emit", example, cwd=ROOT)
    assert "def neuron_value_and_grad(" in written
