"""The arguments and options that several commands share, and the checks of their values."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from lab.errors import InputError


class OptionError(InputError):
    """The value of an argument or option is not accepted; the command's help lists what is."""


@contextmanager
def input_errors_as_option_errors() -> Iterator[None]:
    """Raise OptionError in place of an InputError of the block."""
    try:
        yield
    except InputError as error:
        raise OptionError(*error.problems) from error


def check_backend(name: str | None) -> str | None:
    """Raise OptionError for the name of a backend that does not exist."""
    from lab.backends import BACKENDS
    from lab.errors import did_you_mean

    if name is not None and name not in BACKENDS:
        raise OptionError(f"backend {name!r} does not exist; {did_you_mean(name, BACKENDS)}")
    return name


def _check_ratio(ratio: str | None) -> str | None:
    from lab.units import frame_size

    with input_errors_as_option_errors():
        frame_size(ratio or "16:9", "720p")
    return ratio


def _check_resolution(resolution: str | None) -> str | None:
    from lab.units import frame_size

    with input_errors_as_option_errors():
        frame_size("16:9", resolution or "720p")
    return resolution


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line, nothing else.")]

StillPath = Annotated[Path, typer.Argument(metavar="STILL", show_default=False)]
PromptText = Annotated[str, typer.Argument(metavar="PROMPT", show_default=False)]
SweepFile = Annotated[Path, typer.Argument(metavar="SWEEP.yaml", show_default=False)]
RunDir = Annotated[Path, typer.Argument(metavar="DIR", show_default=False)]
RunDirs = Annotated[list[Path], typer.Argument(metavar="DIR...", show_default=False)]

Backend = Annotated[str, typer.Option(callback=check_backend, help="The backend to use.")]
BackendName = Annotated[
    str | None,
    typer.Option(callback=check_backend, help="Use this backend instead of the file's."),
]
Ratio = Annotated[
    str, typer.Option(callback=_check_ratio, help="The aspect ratio, such as 16:9 or 9:16.")
]
PublishRatio = Annotated[
    str | None,
    typer.Option(callback=_check_ratio, help="The aspect ratio you publish in, such as 9:16."),
]
Resolution = Annotated[
    str | None, typer.Option(callback=_check_resolution, help="720p, 1080p or 4k.")
]
MotionPrompt = Annotated[
    str | None,
    typer.Option(help="The motion prompt, to check that there is room for its motion."),
]

Budget = Annotated[
    float | None, typer.Option(metavar="USD", min=0, help="Refuse a plan that may cost more.")
]
Cap = Annotated[
    float | None,
    typer.Option(
        metavar="USD",
        min=0,
        help="Make only whole blocks (one repeat of a still's variants) that fit in this amount, "
        "then stop.",
    ),
]
Reuse = Annotated[bool, typer.Option(help="Use identical takes that you bought in an older run.")]
Yes = Annotated[bool, typer.Option("--yes", help="Spend what the plan says without asking.")]
