"""What a shot asks for that Kling cannot or will not do, known before anything is paid.

Source: kling.ai/document-api/guides/capability-map/video, and each protocol's own page.
"""

from collections.abc import Iterator
from itertools import permutations

from lab.backends.contract import Unsupported
from lab.backends.kling.catalogue import Catalogue, Model, Protocol
from lab.backends.kling.cites import NAME, cited, texts_of
from lab.backends.kling.modern import prompt_text
from lab.backends.kling.pictures import is_cut, sent_size
from lab.shots import Shot
from lab.stills import Still
from lab.units import RATIOS


def limits(shot: Shot, catalogue: Catalogue, protocol: Protocol) -> tuple[Unsupported, ...]:
    """Everything, what blocks first. Reads no pixel and asks nobody."""
    if shot.settings.aspect_ratio not in RATIOS:
        return ()
    found = list(_of_still(shot, catalogue) if shot.makes == "still" else ())
    if shot.makes == "clip":
        model = catalogue.models.get(catalogue.name_of(shot))
        if model is None:
            return ()  # the option's own choices refuse it
        found = [
            *_of_model(shot, model, catalogue, protocol),
            *_of_frames(shot, model, catalogue, protocol),
            *_of_elements(shot, model, catalogue),
            *_of_prompt(shot, model, catalogue, protocol),
            *_of_cuts(shot, model, catalogue, protocol),
        ]
    return tuple(sorted(found, key=lambda item: not item.blocking))


def _blocks(setting: str, value: object, says: str) -> Unsupported:
    return Unsupported(setting, str(value), says, blocking=True)


def _of_still(shot: Shot, catalogue: Catalogue) -> Iterator[Unsupported]:
    asked, stills = shot.settings, catalogue.stills
    if shot.still is not None or shot.end_still is not None:
        yield _blocks("still", "given", "a still is made from text; leave the still out")
    if asked.resolution not in stills.tiers:
        yield _blocks("resolution", asked.resolution, f"stills: {', '.join(stills.tiers)}")
    if asked.aspect_ratio not in stills.ratios:
        yield _blocks("aspect_ratio", asked.aspect_ratio, f"stills: {', '.join(stills.ratios)}")
    if len(shot.prompt.text) > stills.prompt_chars:
        yield _too_long(len(shot.prompt.text), stills.prompt_chars)
    if shot.elements:
        yield _blocks("elements", "asked for", "a still from text has none")
    if shot.prompt.multi_shot:
        yield _blocks("multi_shot", "asked for", "a still has no cuts")


def _of_model(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    asked, name, (low, high) = shot.settings, catalogue.name_of(shot), catalogue.span_s
    if model.paths(protocol) is None:
        yield _blocks("model", name, "the legacy protocol does not have it; set KLING_PROTOCOL=new")
    lengths = model.lengths_s
    # What no model makes is refused by the capabilities already.
    whole = asked.duration_s == round(asked.duration_s)
    if whole and low <= asked.duration_s <= high and round(asked.duration_s) not in lengths:
        accepted = ", ".join(f"{length} s" for length in lengths)
        yield _blocks("duration_s", f"{asked.duration_s:g}", f"{name} makes {accepted}")
    if asked.resolution not in model.resolutions:
        yield _blocks(
            "resolution", asked.resolution, f"{name} makes {', '.join(model.resolutions)}"
        )
    elif model.usd_per_s(asked.resolution, sound=asked.sound) is None:
        if asked.sound:
            tiers = ", ".join(model.sound)
            says = f"{name} makes sound only at {tiers}" if tiers else f"{name} makes no sound"
            yield _blocks("sound", "true", f"{says}; set sound: false")
        else:
            yield _blocks("sound", "false", f"{name} always makes sound; set sound: true")


def _of_frames(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    asked = shot.settings
    if shot.still is None:
        yield from _of_text_only(shot, model, catalogue, protocol)
    else:
        yield from _of_picture("still", shot.still, shot, catalogue)
    if shot.end_still is None:
        return
    yield from _of_picture("end_still", shot.end_still, shot, catalogue)
    last = model.last_frame
    if shot.still is None:
        yield _blocks("end_still", "given", "a last frame needs a first one; give a still too")
    elif last is None:
        yield _blocks("end_still", "given", "this model takes no last frame; leave it out")
    elif asked.resolution not in last.resolutions:
        tiers = ", ".join(last.resolutions)
        yield _blocks("end_still", "given", f"with a last frame this model makes {tiers} only")
    elif asked.sound and not last.with_sound:
        yield _blocks(
            "end_still", "given", "with a last frame this model makes no sound; set sound: false"
        )


def _of_text_only(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    if model.path(protocol, from_image=False) is None and model.paths(protocol) is not None:
        yield _blocks("still", "none", "this model makes no clip from text alone; give a still")
    ratios = catalogue.limits.text_ratios
    if shot.settings.aspect_ratio not in ratios:
        yield _blocks(
            "aspect_ratio", shot.settings.aspect_ratio, f"from text alone: {', '.join(ratios)}"
        )


def _of_picture(
    setting: str, still: Still, shot: Shot, catalogue: Catalogue
) -> Iterator[Unsupported]:
    least, most = catalogue.limits.picture_short_side_px, catalogue.limits.picture_ratio
    ratio = shot.settings.aspect_ratio
    width, height = sent_size(still, ratio)
    cut = is_cut(still, ratio)
    size = f"{width}x{height} px"
    if min(width, height) < least:
        after = f" after it is cut to {ratio}" if cut else ""
        yield _blocks(
            setting, still.name, f"{size}{after}; each side needs {least} px, take a larger still"
        )
    if max(width, height) > most * min(width, height):
        yield _blocks(setting, still.name, f"{size}; accepted is 1:{most:g} to {most:g}:1")
    if cut:
        yield Unsupported(
            setting,
            still.name,
            f"cut from {still.width_px}x{still.height_px} to {size}, around its subject: a clip "
            "takes its picture's ratio",
        )


def _of_elements(shot: Shot, model: Model, catalogue: Catalogue) -> Iterator[Unsupported]:
    names = [name for name, _ in shot.elements]
    used = cited(texts_of(shot))
    most = model.elements.from_text if shot.still is None else model.elements.from_still
    if names and not most:
        yield _blocks("elements", len(names), _without_elements(shot, model, catalogue))
        return
    if len(names) > most:
        start = "from text alone" if shot.still is None else "with a first frame"
        yield _blocks("elements", len(names), f"{start} this model takes at most {most}")
    for name, element in shot.elements:
        if not NAME.fullmatch(name):
            yield _blocks("elements", name, "a name is letters, digits and underscores")
        if not element:
            yield _blocks("elements", name, "has no id; make the element in Kling's console first")
    for one, other in permutations(names, 2):
        if one in other:
            yield _blocks("elements", one, f"is a part of the name {other!r}; rename one of them")
    for name in used:
        if name not in names:
            listed = ", ".join(names) or "none"
            yield _blocks("prompt", f"@{name}", f"no element of that name; declared: {listed}")
    for name in names:
        if name not in used:
            yield Unsupported("elements", name, f"the prompt does not cite it; write @{name}")


def _without_elements(shot: Shot, model: Model, catalogue: Catalogue) -> str:
    if shot.still is not None or not model.elements.from_still:
        return "this model takes none"
    others = [name for name, other in catalogue.models.items() if other.elements.from_text]
    return f"from text alone only {', '.join(others)} takes them; give a still"


def _of_prompt(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    most = model.prompt_chars or catalogue.protocols[protocol].prompt_chars
    if protocol == "legacy" and shot.prompt.multi_shot:
        return  # each part has its own bound, and there is no whole
    length = len(prompt_text(shot))
    if length > most:
        yield _too_long(length, most)


def _too_long(length: int, most: int) -> Unsupported:
    return _blocks("prompt", f"{length} characters", f"at most {most}")


def _of_cuts(
    shot: Shot, model: Model, catalogue: Catalogue, protocol: Protocol
) -> Iterator[Unsupported]:
    parts, bounds = shot.prompt.multi_shot, catalogue.limits
    if not parts:
        return
    if not model.multi_shot:
        yield _blocks("multi_shot", "asked for", "this model makes no cuts")
        return
    if len(parts) > bounds.shots:
        yield _blocks("multi_shot", f"{len(parts)} shots", f"at most {bounds.shots}")
    for place, part in enumerate(parts, start=1):
        if part.duration_s < 1 or part.duration_s != round(part.duration_s):
            yield _blocks(
                "multi_shot",
                f"shot {place}, {part.duration_s:g} s",
                "each takes whole seconds, at least 1",
            )
        if len(part.text) > bounds.shot_chars:
            yield _blocks(
                "multi_shot",
                f"shot {place}, {len(part.text)} characters",
                f"at most {bounds.shot_chars}",
            )
        if protocol == "new" and ";" in part.text:
            yield Unsupported(
                "multi_shot", f"shot {place}", "its semicolons are sent as commas: one ends a shot"
            )
    if protocol == "legacy" and shot.end_still is not None:
        yield _blocks("end_still", "given", "not together with cuts here; set KLING_PROTOCOL=new")
    elif protocol == "legacy" and shot.still is not None and not model.legacy_cuts_from_still:
        yield _blocks(
            "multi_shot", "asked for", "not together with a still here; set KLING_PROTOCOL=new"
        )
    elif protocol == "legacy" and shot.still is not None:
        yield Unsupported(
            "multi_shot",
            "asked for",
            "the legacy protocol's documents disagree whether the still counts then; "
            "KLING_PROTOCOL=new is clear",
        )
