"""What can be used is documented, and what is documented can be used."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pandas as pd
import pytest

import courier_nb
from courier_nb import CourierAccessor, Message, plots
from courier_nb.cli.main import cli
from courier_nb.core.places import ENVIRONMENT
from courier_nb.frames import schema
from courier_nb.jupyter.magics.courier import REFUSED, cells

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text()
PAGES = sorted((TOP / "docs").glob("*.md"))
SHARED_OPTIONS = {"--profile", "--url", "--host", "--org", "--env", "--region", "--json", "--read-only", "--journal"}


def page(name: str) -> str:
    return (TOP / "docs" / f"{name}.md").read_text()


def test_the_column_table_is_the_one_that_is_used() -> None:
    assert schema.documentation() in page("columns")


@pytest.mark.parametrize("setting", ENVIRONMENT)
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in page("settings")
    assert f"`{ENVIRONMENT[setting]}`" in page("settings")


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_and_option_is_documented(name: str) -> None:
    row = next((line for line in page("cli").splitlines() if line.startswith(f"| `courier-nb {name}")), "")
    assert row, f"{name} is not in docs/cli.md"
    options = {opt for param in cli.commands[name].params if isinstance(param, click.Option) for opt in param.opts}
    missing = {opt for opt in options - SHARED_OPTIONS if opt.startswith("--") and opt not in row}
    assert not missing
    assert {"--json"} <= options
    assert cli.commands[name].help


@pytest.mark.parametrize("name", [name for name in dir(CourierAccessor) if not name.startswith("_")])
def test_every_verb_of_frames_is_documented(name: str) -> None:
    row = next((line for line in page("frames").splitlines() if line.startswith(f"| `frame.courier.{name}")), "")
    assert row, f"{name} is not in docs/frames.md"
    assert getattr(CourierAccessor, name).__doc__


@pytest.mark.parametrize("name", ["line", *cells.commands])
def test_every_magic_and_option_is_documented(name: str) -> None:
    text = page("magics")
    heading = "## %courier\n" if name == "line" else f"## %%courier {name}\n"
    assert heading in text
    section = text.split(heading)[1].split("\n## ")[0]
    params = [] if name == "line" else cells.commands[name].params
    options = {opt for param in params if isinstance(param, click.Option) for opt in param.opts if opt.startswith("--")}
    rows = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| "))
    assert {opt for opt in options - SHARED_OPTIONS if f"`{opt}`" not in rows} == set()
    assert {f"%courier {command}" for command in REFUSED if f"`%courier {command}` is refused" not in text} == set()


@pytest.mark.parametrize("name", plots.__all__)
def test_every_plot_is_documented(name: str) -> None:
    plot = getattr(plots, name)
    row = next((line for line in page("plots").splitlines() if line.startswith(f"| `plots.{name}(")), "")
    assert row, f"{name} is not in docs/plots.md"
    call = row.split("`")[1]
    assert {option for option in inspect.signature(plot).parameters if option not in call} <= {"ax"}
    assert plot.__doc__


def test_the_example_of_sql_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"```python\n(.*?)```", page("sql"), re.DOTALL)
    assert code is not None
    monkeypatch.chdir(tmp_path)
    dlq = courier_nb.connect("local").destination("orders-dlq")
    dlq.publish([Message('{"order": {"total": 7.5}}', {"event": "created"}), Message("no json", {"event": "paid"})])
    dlq.drain("captured", polling_time="10ms")
    names = {"owners": pd.DataFrame({"event": ["created"], "owner": ["ann"]})}
    exec(compile(code[1], "sql.md", "exec"), names)
    assert sorted(names["found"]["event"]) == ["created", "paid"]


@pytest.mark.parametrize("path", [TOP / "README.md", *PAGES, TOP / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_links_and_pictures_are_there(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert missing == []


def test_the_ten_lines_of_the_readme_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.search(r"## Ten lines that run offline\n\n```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    assert len([line for line in code[1].splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(code[1], "README.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "2 ok" in shown
    assert "2 acknowledged" in shown


def test_the_ci_calls_the_readme_s_test_command() -> None:
    install, test = re.findall(r"```sh\n(python -m pip install -e .*?) && (.*?)\n```", README)[0]
    script = (TOP / ".ci" / "run").read_text()
    assert test.startswith("python -m pytest")
    assert f"\n{test}\n" in script
    assert install.removeprefix("python -m pip install ") in script
