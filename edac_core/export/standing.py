"""What a bundle says of a variant beside its baseline, and of the devices that it fits."""

from __future__ import annotations

from collections.abc import Iterator

from edac_core.export.facts import Facts
from edac_core.measure.harms import GroupHarm
from edac_core.measure.parts import Footprint
from edac_core.studies.trust import MARGIN, SENSITIVITY, Trust

_TAKES = {"whole": "yes", "part": "in part", "no": "no"}
_MOST_GROUPS = 8


def beside_baseline(facts: Facts) -> Iterator[str]:
    """Say whether the variant is as good as its baseline, and who pays."""
    found = facts.trust()
    if found is None:
        yield "It is the baseline itself, or there is none to compare it with."
        return
    yield from _differences(found)
    yield ""
    yield (
        "| grouping | group | recordings | only the baseline right | only the variant right | "
        "AUC difference (95 %) |"
    )
    yield "|---|---|---|---|---|---|"
    harms = facts.harms()
    yield from (_row(harm) for harm in harms[:_MOST_GROUPS])
    yield ""
    yield (
        "The hardest hit come first, each at the files' own thresholds. With many groups, the "
        "first is hit hardest partly by chance."
    )


def where_it_runs(footprint: Footprint) -> Iterator[str]:
    """Say what the file asks of a device, and which runtimes take it."""
    yield f"- Flash: {footprint.flash_bytes:,} bytes, the file as it is."
    if footprint.arena_bytes is not None:
        yield (
            f"- RAM: about {footprint.arena_bytes:,} bytes for what operators hand to each other "
            "(estimate; what a runtime needs for itself comes on top)."
        )
    if footprint.micro_arena_bytes is not None:
        yield (
            f"- TFLite Micro took {footprint.micro_arena_bytes:,} bytes of arena when it loaded "
            "the file on a 64-bit machine."
        )
    if footprint.macs is not None:
        yield f"- Multiplications and additions: {footprint.macs:,} a recording (estimate)."
    for runtime in footprint.runtimes:
        reason = f" {runtime.reason}" if runtime.reason else ""
        yield f"- {runtime.name}: {_TAKES[runtime.takes]} ({runtime.how_known}).{reason}"


def _differences(found: Trust) -> Iterator[str]:
    difference, resampled = found.difference, found.resampled
    drawn = "participants" if found.by_participant else "recordings"
    yield (
        f"- AUC less the baseline's: {difference.difference:+.3f} ({difference.low:+.3f} to "
        f"{difference.high:+.3f} by DeLong; {resampled.low:+.3f} to {resampled.high:+.3f} by "
        f"drawing {resampled.clusters} {drawn} again)."
    )
    yield f"- At a margin of {MARGIN:g}: {found.verdict}."
    for name, scored in (("variant", found.variant), ("baseline", found.baseline)):
        point, ties = scored.point, scored.ties
        yield (
            f"- The {name} at a sensitivity of {SENSITIVITY:g} on validation recordings (threshold "
            f"{point.threshold:.6g}): sensitivity {point.sensitivity:.3f}, specificity "
            f"{point.specificity:.3f} on test recordings. Calibration error "
            f"{scored.calibration_error:.3f}; {ties.distinct} different scores of "
            f"{ties.recordings}."
        )


def _row(harm: GroupHarm) -> str:
    difference = harm.remark or "not known"
    if harm.auc is not None:
        difference = f"{harm.auc.difference:+.3f} ({harm.auc.low:+.3f} to {harm.auc.high:+.3f})"
    return (
        f"| {harm.grouping} | {harm.group} | {harm.n} | {harm.to_wrong} | {harm.to_right} | "
        f"{difference} |"
    )
