"""Rules of the repository: one list of dependencies, no clocks in tests, no vendor in reports."""

import re
import tomllib
from pathlib import Path

from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parent.parent
ON_CONDA = {"opencv-python-headless": "opencv"}


def _split(requirement: str) -> tuple[str, str]:
    """The normalised name of a requirement, and its sorted version bounds."""
    name, bounds = re.fullmatch(r"\s*([A-Za-z0-9._-]+)\s*(.*)", requirement).groups()  # type: ignore[union-attr]
    parts = sorted(part.strip() for part in bounds.split(",") if part.strip())
    return re.sub(r"[-_.]+", "-", name).lower(), ",".join(parts)


def _project_dependencies() -> dict[str, str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return dict(_split(requirement) for requirement in project["dependencies"])


def _environment() -> tuple[dict[str, str], list[str]]:
    """The requirements that conda installs, by name, and those that pip installs."""
    text = (REPOSITORY / "environment.yml").read_text(encoding="utf-8")
    entries = YAML(typ="safe", pure=True).load(text)["dependencies"]
    conda = dict(_split(entry) for entry in entries if isinstance(entry, str))
    (pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    return conda, pip


def test_the_environment_names_every_dependency_with_its_bounds() -> None:
    """environment.yml has the dependencies of pyproject.toml, with the same versions."""
    conda, pip = _environment()
    assert pip[-1] == "-e ."
    listed = {**conda, **dict(_split(entry) for entry in pip[:-1])}
    assert ">=3.11" in listed.pop("python").split(",")
    expected = _project_dependencies()
    for name, other in ON_CONDA.items():
        if other in listed:
            listed[name] = listed.pop(other)
    assert listed == expected


def test_the_environment_has_the_project_itself() -> None:
    """Python and pip come from conda, and the project is installed from its folder."""
    conda, pip = _environment()
    assert {"python", "pip"} <= set(conda)
    assert "-e ." in pip


def test_no_test_reads_a_clock() -> None:
    """No test depends on speed; only the guard against hanging tests measures time."""
    clocks = re.compile(r"\btime\.(monotonic|perf_counter|process_time|sleep)\b")
    matches = [
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "tests").rglob("*.py")
        if clocks.search(path.read_text(encoding="utf-8"))
    ]
    assert matches == ["tests/waiting.py"]


def test_only_the_table_of_backends_names_a_vendors_module() -> None:
    """Other modules reach a vendor through the table of backends; a report names none."""
    vendors = [path.name for path in (REPOSITORY / "lab" / "backends").iterdir() if path.is_dir()]
    assert "kling" in vendors
    modules = re.compile(rf"\bbackends[./]({'|'.join(vendors)})\b")
    matches = [
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "lab").rglob("*.py")
        if modules.search(path.read_text(encoding="utf-8"))
    ]
    assert [name for name in matches if not re.match(r"lab/backends/[a-z]+/", name)] == [
        "lab/backends/__init__.py"
    ]
    texts = (REPOSITORY / "lab" / "report").rglob("*.py")
    assert not [path for path in texts if "kling" in path.read_text(encoding="utf-8").lower()]
