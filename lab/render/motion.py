"""Describe the motion of a shot: camera rates, easing and ambient motion."""

from dataclasses import dataclass
from typing import Self

from lab.prompts import Prompt
from lab.prompts.vocabulary import Ambient, CameraRates, Pace

_AT_REST = CameraRates()
_DEFAULT_PACE = Pace(amplitude=1.0, easing="smooth")


@dataclass(frozen=True)
class Motion:
    """The motion to render. rates: per second at normal pace, see `CameraRates`."""

    rates: CameraRates = _AT_REST
    pace: Pace = _DEFAULT_PACE
    ambient: tuple[Ambient, ...] = ()

    @classmethod
    def from_prompt(cls, prompt: Prompt) -> Self:
        """The motion that a prompt's terms describe; several camera moves add up.

        The first strength term multiplies the summed rates. The first pace term sets the pace.
        """
        moves = [term.camera for term in prompt.of_kind("camera") if term.camera]
        paces = [term.pace for term in prompt.of_kind("pace") if term.pace]
        extent = ([term.extent for term in prompt.of_kind("strength") if term.extent] or [1.0])[0]
        total = {
            name: extent * sum(getattr(move, name) for move in moves)
            for name in CameraRates.model_fields
        }
        ambient = [term.ambient for term in prompt.of_kind("subject") if term.ambient]
        return cls(
            CameraRates(**total),
            paces[0] if paces else _DEFAULT_PACE,
            tuple(dict.fromkeys(ambient)),
        )
