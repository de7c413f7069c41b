"""Imitate how real models fail, so that an offline sweep has something to find.

A stand-in, not a model of any product: more motions at once, a vague prompt, a poor still or a
fast pace make the clip worse in the way the craft's guides describe, with luck on top. The sizes
are chosen to lie around what is just visible (about 1 code value, 2 ΔE, 1 ‰ of the diagonal).
"""

import numpy as np

from lab.prompts.lint import dominant_motions
from lab.render import Defects
from lab.shots import Shot
from lab.stills import preflight

_LUCK = 0.25  # standard deviation of the natural logarithm


def flaws_of(shot: Shot, strength: float, seed: int) -> Defects:
    """The defects of a take. strength 0 is clean, 1 the documented default; seed sets the luck."""
    prompt = shot.prompt
    poor = {finding.kind for finding in preflight(shot.still).findings} if shot.still else set()
    crowd = max(0, dominant_motions(prompt) - 1)
    vague = not prompt.of_kind("camera") and not prompt.of_kind("subject")
    haste = max(prompt.amplitude - 1, 0.0)
    seconds = shot.settings.duration_s
    flicker = 0.5 + 0.5 * crowd + 1.0 * vague + 0.6 * ("soft" in poor)
    drift = (1.0 + 2.5 * crowd + 5.0 * vague + 1.5 * ("subject_cut" in poor)) * (seconds / 5) ** 0.5
    warp = 0.3 + 0.8 * crowd + 1.0 * vague + 0.5 * haste + 0.8 * ("busy" in poor)
    luck = np.exp(_LUCK * np.random.default_rng([seed, 8]).standard_normal(3))
    flicker, drift, warp = strength * luck * (flicker, drift, warp)
    return Defects(flicker_dn=float(flicker), drift_de=float(drift), warp_permille=float(warp))
