"""Elements of a sweep."""

from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.building import build_sweep, problems_of


def test_elements_go_with_the_prompts_that_cite_them(folder: Path) -> None:
    """A take has the elements that its prompt cites, and they are part of its id."""
    sweep = build_sweep(
        folder,
        prompts=["push in on @hero", "pan left"],
        elements={"hero": "861500000000000001"},
    )
    cited, plain = sweep.trials()
    assert cited.shot.elements == (("hero", "861500000000000001"),)
    assert plain.shot.elements == ()
    other = build_sweep(folder, prompts=["push in on @hero"], elements={"hero": "2"})
    assert other.takes()[0][1].id != sweep.takes()[0][1].id


def test_misspelt_elements_are_refused(folder: Path) -> None:
    """An element without a citation and a citation without an element are mistakes."""
    problems = problems_of(folder, prompts=["push in on @heroo"], elements={"hero": "1"})
    assert any("elements.hero: no prompt cites @hero" in line for line in problems)
    assert any("@heroo is not an element; did you mean 'hero'" in line for line in problems)


def test_elements_may_be_pictures(folder: Path) -> None:
    """Paths are relative, the front view first; an element has a placeholder id at first."""
    sweep = build_sweep(folder, prompts=["push in on @hero"], elements={"hero": ["b.jpg", "a.jpg"]})
    (hero,) = sweep.pictured_elements
    assert (hero.name, hero.files) == ("hero", ("b.jpg", "a.jpg"))
    assert sweep.unregistered_elements == (hero,)
    ((_, placeholder),) = sweep.trials()[0].shot.elements
    assert "unregistered" in placeholder
    known = sweep.with_element_ids({hero.content: "861500000000000001"})
    assert known.trials()[0].shot.elements == (("hero", "861500000000000001"),)
    assert known.unregistered_elements == ()
    named = build_sweep(
        folder, prompts=["push in on @hero"], elements={"hero": "861500000000000001"}
    )
    assert known.id == named.id != sweep.id
    other = build_sweep(folder, prompts=["push in on @hero"], elements={"hero": ["a.jpg", "b.jpg"]})
    assert other.pictured_elements[0].content != hero.content


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["c.jpg"], "c.jpg: no such file"),
        (["a.jpg", "a.jpg"], "is the same picture"),
        (["*.jpg"], "*.jpg: no such file"),
        ([], "should be an id, or a list of picture files"),
        ([1], "should be an id, or a list of picture files"),
        ("", "should be an id, or a list of picture files"),
        ({"front": "a.jpg"}, "should be an id, or a list of picture files"),
    ],
)
def test_wrong_pictures_of_an_element_are_refused(folder: Path, given: Any, message: str) -> None:
    """The error names the element and the file."""
    problems = problems_of(folder, prompts=["push in on @hero"], elements={"hero": given})
    assert any("elements.hero: " in line and message in line for line in problems), problems


def test_two_elements_with_the_same_pictures_are_refused(folder: Path) -> None:
    """The service would hold them as one element."""
    given = {"hero": ["a.jpg"], "villain": ["a.jpg"]}
    problems = problems_of(folder, prompts=["@hero meets @villain"], elements=given)
    assert any("elements.villain: has the same pictures as 'hero'" in line for line in problems)
