"""Find the settings of a shot that Kling cannot fulfil, before anything is bought.

Source: kling.ai/document-api/guides/capability-map/video, and the pages of each protocol.
"""

from collections.abc import Iterator
from itertools import permutations

from lab.backends.contract import Unsupported
from lab.backends.kling.catalogue import Catalogue, Model, Protocol
from lab.backends.kling.mentions import ELEMENT_NAME, mentioned_names, prompt_texts
from lab.backends.kling.modern import prompt_text
from lab.backends.kling.pictures import is_cropped, sent_size
from lab.shots import Shot
from lab.stills import Still
from lab.units import RATIOS


def unsupported_settings(
    shot: Shot, catalogue: Catalogue, protocol: Protocol
) -> tuple[Unsupported, ...]:
    """Everything that is unsupported, blocking items first. Reads no pixels and sends nothing."""
    if shot.settings.aspect_ratio not in RATIOS:
        return ()
    items = list(_unsupported_for_still(shot, catalogue) if shot.makes == "still" else ())
    if shot.makes == "clip":
        model = catalogue.models.get(catalogue.model_name(shot))
        if model is None:
            return ()  # `contract.unsupported` reports a model that is not in the catalogue
        items = [
            *_unsupported_by_model(shot, model, catalogue, protocol),
            *_unsupported_frames(shot, model, catalogue, protocol),
            *_unsupported_elements(shot, model, catalogue),
            *_unsupported_prompt(shot, model, catalogue, protocol),
            *_unsupported_cuts(shot, model, catalogue, protocol),
        ]
    return tuple(sorted(items, key=lambda item: not item.blocking))


def _blocking(setting: str, value: object, reason: str) -> Unsupported:
    return Unsupported(setting, str(value), reason, blocking=True)


def _unsupported_for_still(shot: Shot, catalogue: Catalogue) -> Iterator[Unsupported]:
    settings, stills = shot.settings, catalogue.stills
    if shot.still is not None or shot.end_still is not None:
        yield _blocking("still", "given", "a still is made from text; leave the still out")
    if settings.resolution not in stills.resolutions:
        yield _blocking(
            "resolution",
            settings.resolution,
            f"accepted for stills: {', '.join(stills.resolutions)}",
        )
    if settings.aspect_ratio not in stills.ratios:
        yield _blocking(
            "aspect_ratio",
            settings.aspect_ratio,
            f"accepted for stills: {', '.join(stills.ratios)}",
        )
    if len(shot.prompt.text) > stills.prompt_chars:
        yield _too_long(len(shot.prompt.text), stills.prompt_chars)
    if shot.elements:
        yield _blocking("elements", "asked for", "a still from text has no elements")
    if shot.prompt.multi_shot:
        yield _blocking("multi_shot", "asked for", "a still has no cuts")


def _unsupported_by_model(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    settings, name = shot.settings, catalogue.model_name(shot)
    if model.paths(protocol) is None:
        reason = "the legacy protocol does not have it; set KLING_PROTOCOL=new"
        yield _blocking("model", name, reason)
    # A duration that no model can make is already rejected by the capabilities.
    low, high = catalogue.duration_range_s
    whole = settings.duration_s == round(settings.duration_s)
    lengths = model.lengths_s
    if whole and low <= settings.duration_s <= high and round(settings.duration_s) not in lengths:
        accepted = ", ".join(f"{length} s" for length in lengths)
        yield _blocking("duration_s", f"{settings.duration_s:g}", f"{name} makes {accepted}")
    if settings.resolution not in model.resolutions:
        reason = f"{name} makes {', '.join(model.resolutions)}"
        yield _blocking("resolution", settings.resolution, reason)
    elif model.usd_per_s(settings.resolution, sound=settings.sound) is None:
        if settings.sound:
            resolutions = ", ".join(model.sound_usd_per_s)
            reason = (
                f"{name} makes sound only at {resolutions}"
                if resolutions
                else f"{name} makes no sound"
            )
            yield _blocking("sound", "true", f"{reason}; set sound: false")
        else:
            yield _blocking("sound", "false", f"{name} always makes sound; set sound: true")


def _unsupported_frames(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    if shot.still is None:
        yield from _unsupported_from_text(shot, model, catalogue, protocol)
    else:
        yield from _unsupported_picture("still", shot.still, shot, catalogue)
    if shot.end_still is not None:
        yield from _unsupported_picture("end_still", shot.end_still, shot, catalogue)
        if reason := _last_frame_problem(shot, model):
            yield _blocking("end_still", "given", reason)


def _unsupported_from_text(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    if model.path(protocol, from_image=False) is None and model.paths(protocol) is not None:
        yield _blocking(
            "still", "none", "this model cannot make a clip from text alone; give a still"
        )
    ratio, accepted = shot.settings.aspect_ratio, catalogue.limits.ratios_from_text
    if ratio not in accepted:
        yield _blocking(
            "aspect_ratio", ratio, f"accepted for clips from text alone: {', '.join(accepted)}"
        )


def _unsupported_picture(
    setting: str, still: Still, shot: Shot, catalogue: Catalogue
) -> Iterator[Unsupported]:
    min_side, max_ratio = catalogue.limits.picture_short_side_px, catalogue.limits.max_picture_ratio
    ratio = shot.settings.aspect_ratio
    width, height = sent_size(still, ratio)
    cropped = is_cropped(still, ratio)
    size = f"{width}x{height} px"
    if min(width, height) < min_side:
        after = f" after cropping to {ratio}" if cropped else ""
        reason = f"{size}{after}; each side needs {min_side} px; use a larger still"
        yield _blocking(setting, still.name, reason)
    if max(width, height) > max_ratio * min(width, height):
        accepted = f"accepted: 1:{max_ratio:g} to {max_ratio:g}:1"
        yield _blocking(setting, still.name, f"{size}; {accepted}")
    if cropped:
        yield Unsupported(
            setting,
            still.name,
            f"cropped from {still.width_px}x{still.height_px} to {size} around its subject, "
            "because a clip gets the aspect ratio of the picture that is sent",
        )


def _last_frame_problem(shot: Shot, model: Model) -> str:
    """Why the shot cannot have its last frame; "" if it can."""
    last = model.last_frame
    if shot.still is None:
        return "a last frame needs a first frame; give a still too"
    if last is None:
        return "this model does not support a last frame; leave it out"
    if shot.settings.resolution not in last.resolutions:
        return f"with a last frame this model makes {', '.join(last.resolutions)} only"
    if shot.settings.sound and not last.with_sound:
        return "with a last frame this model makes no sound; set sound: false"
    return ""


def _unsupported_elements(shot: Shot, model: Model, catalogue: Catalogue) -> Iterator[Unsupported]:
    names = [name for name, _ in shot.elements]
    mentioned = mentioned_names(prompt_texts(shot))
    maximum = model.elements.from_text if shot.still is None else model.elements.from_still
    if names and not maximum:
        yield _blocking("elements", len(names), _elements_problem(shot, model, catalogue))
        return
    if len(names) > maximum:
        start = "from text alone" if shot.still is None else "with a first frame"
        yield _blocking("elements", len(names), f"{start} this model supports at most {maximum}")
    for name, element_id in shot.elements:
        if not ELEMENT_NAME.fullmatch(name):
            yield _blocking("elements", name, "a name has only letters, digits and underscores")
        if not element_id:
            reason = "has no id; make the element in Kling's console first"
            yield _blocking("elements", name, reason)
    for one, other in permutations(names, 2):
        if one in other:
            reason = f"is a part of the name {other!r}; rename one of them"
            yield _blocking("elements", one, reason)
    for name in mentioned:
        if name not in names:
            declared = ", ".join(names) or "none"
            reason = f"no element of that name; declared: {declared}"
            yield _blocking("prompt", f"@{name}", reason)
    for name in names:
        if name not in mentioned:
            yield Unsupported("elements", name, f"the prompt does not mention it; write @{name}")


def _elements_problem(shot: Shot, model: Model, catalogue: Catalogue) -> str:
    """Why the model cannot use elements for this shot."""
    if shot.still is not None or not model.elements.from_still:
        return "this model does not support elements"
    others = [name for name, other in catalogue.models.items() if other.elements.from_text]
    names = ", ".join(others)
    return (
        f"without a still, elements need one of the models {names}; "
        "choose one of them or give a still"
    )


def _unsupported_prompt(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    maximum = model.prompt_chars or catalogue.protocols[protocol].prompt_chars
    if protocol == "legacy" and shot.prompt.multi_shot:
        return  # each segment is sent separately and has its own limit
    length = len(prompt_text(shot))
    if length > maximum:
        yield _too_long(length, maximum)


def _too_long(length: int, maximum: int) -> Unsupported:
    return _blocking("prompt", f"{length} characters", f"at most {maximum}")


def _unsupported_cuts(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    segments, bounds = shot.prompt.multi_shot, catalogue.limits
    if not segments:
        return
    if not model.multi_shot:
        yield _blocking("multi_shot", "asked for", "this model makes no cuts")
        return
    if len(segments) > bounds.max_segments:
        yield _blocking("multi_shot", f"{len(segments)} shots", f"at most {bounds.max_segments}")
    for number, segment in enumerate(segments, start=1):
        if segment.duration_s < 1 or segment.duration_s != round(segment.duration_s):
            value = f"shot {number}, {segment.duration_s:g} s"
            yield _blocking("multi_shot", value, "each shot must last whole seconds, at least 1")
        if len(segment.text) > bounds.max_segment_chars:
            value = f"shot {number}, {len(segment.text)} characters"
            yield _blocking("multi_shot", value, f"at most {bounds.max_segment_chars}")
        if protocol == "new" and ";" in segment.text:
            reason = "its semicolons are sent as commas, because a semicolon ends a shot"
            yield Unsupported("multi_shot", f"shot {number}", reason)
    if protocol == "legacy":
        yield from _unsupported_legacy_cuts(shot, model)


def _unsupported_legacy_cuts(shot: Shot, model: Model) -> Iterator[Unsupported]:
    if shot.end_still is not None:
        reason = "the legacy protocol has no cuts with a last frame; set KLING_PROTOCOL=new"
        yield _blocking("end_still", "given", reason)
    elif shot.still is not None and not model.legacy_multi_shot_from_still:
        reason = "the legacy protocol has no cuts with a still; set KLING_PROTOCOL=new"
        yield _blocking("multi_shot", "asked for", reason)
    elif shot.still is not None:
        yield Unsupported(
            "multi_shot",
            "asked for",
            "the documents of the legacy protocol disagree on whether a clip with cuts uses the "
            "still; those of the new protocol are clear (set KLING_PROTOCOL=new)",
        )
