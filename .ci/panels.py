"""Write a notebook that imports every panel and shows one: python panels.py FILE.ipynb."""

import sys
from pathlib import Path

import nbformat

CELLS = (
    "import lab\n"
    "from lab.samples import sample_path\n"
    "lab.StillPanel, lab.PromptPanel, lab.ResultsPanel, lab.Player",
    'lab.SweepPanel(sample_path("sweeps/coffee.yaml"), out="runs/panel")',
    'assert "widget-view" in str(Out[2]._repr_mimebundle_())',
)

notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
Path(sys.argv[1]).write_text(nbformat.writes(notebook), encoding="utf-8")
