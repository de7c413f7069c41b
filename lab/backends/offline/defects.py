"""Choose the defects of offline clips, so that an offline sweep has differences to measure.

This is a placeholder, not a model of any product. Several motions at once, a vague prompt, a poor
still or a fast pace make the clip worse, as guides to prompting describe. Random variation comes on
top. The sizes lie around what is just visible: 1 code value, 2 ΔE, 1 ‰ of the diagonal.
"""

import numpy as np

from lab.prompts.lint import dominant_motions
from lab.render import Defects
from lab.shots import Shot
from lab.stills import preflight

_SPREAD = 0.25  # standard deviation of the natural logarithm of the random factor


def defects_of(shot: Shot, strength: float, seed: int) -> Defects:
    """The defects of a take.

    strength: 0 is clean, 1 is the default. seed: determines the random factors.
    """
    prompt = shot.prompt
    problems = {finding.kind for finding in preflight(shot.still).findings} if shot.still else set()
    extra_motions = max(0, dominant_motions(prompt) - 1)
    vague = not prompt.of_kind("camera") and not prompt.of_kind("subject")
    excess_pace = max(prompt.amplitude - 1, 0.0)
    seconds = shot.settings.duration_s
    flicker = 0.5 + 0.5 * extra_motions + 1.0 * vague + 0.6 * ("soft" in problems)
    drift = 1.0 + 2.5 * extra_motions + 5.0 * vague + 1.5 * ("subject_cut" in problems)
    drift *= (seconds / 5) ** 0.5
    warp = 0.3 + 0.8 * extra_motions + 1.0 * vague + 0.5 * excess_pace + 0.8 * ("busy" in problems)
    rng = np.random.default_rng([seed, 8])
    flicker, drift, warp = (
        strength * np.exp(_SPREAD * rng.standard_normal(3)) * (flicker, drift, warp)
    )
    return Defects(flicker_dn=float(flicker), drift_de=float(drift), warp_permille=float(warp))
