"""The package itself: cheap to import, and a short list of public names."""

import subprocess
import sys

import pytest

import lab

PUBLIC = [
    "Player",
    "Prompt",
    "PromptPanel",
    "Results",
    "ResultsPanel",
    "Shot",
    "ShotSettings",
    "Still",
    "StillPanel",
    "Sweep",
    "SweepPanel",
    "contact_sheet",
    "create",
    "delete_element",
    "explain",
    "export_notebook",
    "fit",
    "lint",
    "list_elements",
    "load",
    "load_card",
    "measure",
    "near_duplicates",
    "open_backend",
    "plan",
    "preflight",
    "reconcile",
    "recover",
    "register_element",
    "run",
    "score",
    "shoot",
    "start_notebook",
    "suggest_next",
    "vary",
    "write_report",
]


def test_importing_the_package_costs_nothing() -> None:
    """`import lab` loads no heavy library until a name is used."""
    heavy = ("numpy", "pandas", "cv2", "av", "matplotlib", "pydantic", "skimage", "PIL")
    program = f"import sys, lab; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_these() -> None:
    """Adding or losing a public name is a decision, not an accident."""
    assert lab.__all__ == PUBLIC
    assert dir(lab) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_leads_somewhere(name: str) -> None:
    """Every name loads its room and says what it does."""
    found = getattr(lab, name)
    assert found.__doc__
    assert found.__module__.startswith("lab.")


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails like any attribute, so that hasattr works."""
    assert not hasattr(lab, "swep")
    with pytest.raises(AttributeError, match="no attribute 'swep'"):
        lab.swep  # noqa: B018 - asking for it is the test
