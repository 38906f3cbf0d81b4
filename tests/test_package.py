"""The wheel holds what it should."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

TOP = Path(__file__).parents[1]


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(TOP)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        str(path.relative_to(TOP))
        for path in (TOP / "courier_nb").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours <= inside
    assert "courier_nb/py.typed" in inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    assert not [name for name in inside if name.startswith(("tests/", "notebooks/"))]


def test_the_conda_environment_names_every_dependency() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["lab"]
    names = {requirement.split(">")[0].split(";")[0].strip() for requirement in wanted}
    environment = (TOP / "environment.yml").read_text()
    # Left to pip: what conda-forge does not have, and what only some platforms do.
    missing = {name for name in names if f"- {name}" not in environment} - {"httpx-aiohttp", "python-jsonpath", "uvloop"}
    assert missing == set()
