"""Starting a notebook: its parameters are checked, and its paths are the same everywhere."""

from pathlib import Path

import pytest

from lab.errors import InputError
from lab.notebook import check_parameters, start_notebook

DEFINED = "duration_s: float = 2.0  # seconds\nseed = 7\nname = other = 'x'"


def _cells(injected: str) -> list[str]:
    return ["", "import lab", DEFINED, f"# Parameters\n{injected}", "lab.run"]


@pytest.mark.parametrize("injected", ["seed = 1", "duration_s = 0.3\nother = 'y'", ""])
def test_known_parameters_pass(injected: str) -> None:
    """What the parameters cell defines may be injected, annotated or not."""
    check_parameters(_cells(injected))


@pytest.mark.parametrize(
    ("injected", "says"),
    [
        ("duration = 1", "'duration' (did you mean 'duration_s'?)"),
        ("zebra = 1", "'zebra' (accepted: duration_s, name, other, seed)"),
        ("seed = 1\nsed = 2\nnam = 3", "'sed' (did you mean 'seed'?), 'nam' (did you mean"),
    ],
)
def test_an_unknown_parameter_is_refused(injected: str, says: str) -> None:
    """A misspelt parameter would change nothing in silence, so it is named with the nearest."""
    with pytest.raises(InputError) as caught:
        check_parameters(_cells(injected))
    assert says in str(caught.value)


def test_a_notebook_run_by_hand_has_nothing_injected() -> None:
    """Without an injected cell every notebook passes."""
    check_parameters(["", "import lab", DEFINED, "unknown = 1"])
    check_parameters([])


def test_paths_mean_the_same_from_the_notebooks_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the notebooks folder work moves one up; anywhere else it stays."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    start_notebook(_cells("seed = 1"))
    assert Path.cwd() == tmp_path
    start_notebook(_cells("seed = 1"))
    assert Path.cwd() == tmp_path


def test_a_refused_notebook_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown parameter ends the notebook before anything else happens."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    with pytest.raises(InputError):
        start_notebook(_cells("sed = 1"))
    assert Path.cwd() == tmp_path / "notebooks"
