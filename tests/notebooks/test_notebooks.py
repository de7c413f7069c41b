"""The notebooks are thin, executed, honest, and run with other parameters."""

import ast
import json
from pathlib import Path

import nbformat
import papermill
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_IDS = [path.stem for path in NOTEBOOKS]


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_IDS)
def test_notebooks_hold_no_logic(path: Path) -> None:
    """No function, class or absolute path stands in a cell."""
    for cell in code(path):
        plain = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
        for node in ast.walk(ast.parse(plain)):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda), cell.source
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.startswith(("/", "~", "C:")), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_IDS)
def test_notebooks_begin_as_agreed(path: Path) -> None:
    """Words first, then one parameters cell with a comment for each, then the imports."""
    cells = nbformat.read(path, 4).cells
    assert cells[0].cell_type == "markdown"
    assert "USD" in cells[0].source
    first, second = code(path)[:2]
    assert first.metadata["tags"] == ["parameters"]
    assert all(" # " in line or "  # " in line for line in first.source.splitlines())
    assert "lab.start_notebook(In)" in second.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=_IDS)
def test_notebooks_show_something_before_anyone_runs_them(path: Path) -> None:
    """Outputs are kept, small, without an error or this machine's paths."""
    assert path.stat().st_size < 1_000_000
    text = path.read_text(encoding="utf-8")
    assert str(ROOT) not in text
    cells = code(path)
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert sum(bool(cell.outputs) for cell in cells) >= 5
    assert "widgets" not in json.loads(text)["metadata"]


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    """A sweep of two short takes."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        json.dumps(
            {
                "stills": [str(ROOT / "data" / "stills" / "rocket.jpg")],
                "prompts": ["push in", "make it move"],
                "settings": {"duration_s": 0.5, "aspect_ratio": "3:4"},
            }
        )
    )
    return path


@pytest.mark.slow
def test_the_sweep_notebook_under_papermill(
    tmp_path: Path, sweep_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With other parameters it runs to the end and leaves tables and a report."""
    monkeypatch.chdir(tmp_path)
    done = papermill.execute_notebook(
        str(ROOT / "notebooks" / "02_sweep.ipynb"),
        str(tmp_path / "out.ipynb"),
        parameters={"sweep": str(sweep_file), "backend": "offline", "out": "run"},
        progress_bar=False,
        cwd=str(tmp_path),
    )
    said = done.cells[-1].outputs[0].text
    assert said == "takes: 2 scored: 2 simulated: True\n"
    for name in ("report.html", "scores.parquet", "frames.parquet", "takes.parquet"):
        assert (tmp_path / "run" / name).is_file()


def test_an_unknown_parameter_stops_the_notebook(tmp_path: Path) -> None:
    """A mistyped parameter is an error that names it, not a run with the defaults."""
    with pytest.raises(
        papermill.PapermillExecutionError, match="unknown parameter 'swep'"
    ) as caught:
        papermill.execute_notebook(
            str(ROOT / "notebooks" / "02_sweep.ipynb"),
            str(tmp_path / "out.ipynb"),
            parameters={"swep": "x"},
            progress_bar=False,
            cwd=str(tmp_path),
        )
    assert "did you mean 'sweep'" in str(caught.value)
