"""Remarks on prompts."""

import pytest

from lab.prompts import Prompt, lint


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("make it move", {"vague", "no_pace"}),
        ("cinematic", {"vague", "no_pace"}),
        ("slow push-in", set()),
        ("slow push-in, steam rises, she smiles", set()),
        ("push-in", {"no_pace"}),
        ("steam rises slowly", {"no_camera_move"}),
        ("slow pan left and tilt up", {"many_motions"}),
        ("slow push-in and orbit while she smiles", {"many_motions"}),
        ("slow static lock-off; she smiles", set()),
        ("slow push-in " + "and the light is soft " * 120, {"long"}),
    ],
)
def test_a_prompt_gets_the_remarks_it_earns(text: str, kinds: set[str]) -> None:
    """Vague, crowded, endless and undirected prompts are told apart, good ones pass in silence."""
    assert {finding.kind for finding in lint(Prompt.written(text))} == kinds


def test_a_vague_prompt_is_a_warning_that_says_what_to_write() -> None:
    """The remark on a vague prompt is a warning and comes with an example."""
    worst = lint(Prompt.written("make it move"))[0]
    assert (worst.kind, worst.severity) == ("vague", "warning")
    assert "push-in" in worst.fix


def test_ambient_motion_is_not_counted() -> None:
    """Steam, leaves and cloth beside one move and one action do not crowd a prompt."""
    calm = Prompt.of("push_in", ["smiles", "steam_rises", "leaves_sway"], pace="slow")
    assert lint(calm) == ()


def test_too_many_motions_are_counted() -> None:
    """The remark on a crowded prompt carries the count and the limit."""
    crowded = lint(Prompt.of(["push_in", "orbit_left"], "walks", pace="slow"))
    assert [(finding.kind, finding.value, finding.limit) for finding in crowded] == [
        ("many_motions", 3, 2)
    ]
