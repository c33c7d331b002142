"""The texts of a bundle: what it is, what it is worth, how to make it again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edac_core.export.facts import Facts, Measured, Values
from edac_core.export.header import MOST_BYTES
from edac_core.export.reproduce import NETWORK_FILE, export_command, name_again
from edac_core.export.standing import beside_baseline, where_it_runs
from edac_core.measure.parts import Footprint

FILES = {
    "model.tflite": "the model, for LiteRT",
    "model.h": "the same bytes as a C array, with shape, type and quantisation of input and output",
    "frontend.json": "the front-end that stands before the model: every parameter",
    "frontend.py": "the front-end in plain NumPy, to port from",
    "operating_point.json": "the threshold, how it was chosen and what it achieved",
    "golden.npz": "ten inputs with their features and the scores they should get",
    "check.py": "checks all of this; needs ai-edge-litert and NumPy",
    "metrics.json": "everything that was measured, with intervals, machine and versions",
    "MODEL_CARD.md": "what the model is for, and what its figures are worth",
    "REPRODUCE.md": "how to make it again",
    "plan.toml": "the plan for that",
    NETWORK_FILE: "the network's definition, which the plan names",
    "SHA256SUMS": "digests of all files, as `sha256sum --check` takes them",
}
"""What each file of a bundle is for."""

_PROTOCOLS = {
    "clean": "No known participant, and no copy of a recording, is in two sets; only training "
    "recordings were augmented.",
    "paper": "Sets were made as the network's paper made them. Where test recordings were "
    "augmented class by class, as EDAC did, the figures are optimistic.",
}
_NO_HEADER = (
    f"There is no C header: the file is larger than {MOST_BYTES / 1e6:.0f} MB, which no "
    "microcontroller holds."
)
_NO_REFERENCE = (
    "There is no frontend.py: the features are openSMILE's {feature_set} {feature_level}, "
    "{count:,} of them, and take openSMILE ({version}) to compute. frontend.json names them in "
    "order, golden.npz holds those of the golden inputs, and check.py starts from these."
)


def readme(facts: Facts, *, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> str:
    """Write README.md.

    Parameters
    ----------
    facts
        Of the variant.
    files
        Contents of the bundle by name, but for this one.
    settings
        As in frontend.json.
    """
    lines = [f"- `{name}`: {use}" for name, use in FILES.items()
             if name in files or name == "SHA256SUMS"]  # fmt: skip
    notes = [] if "model.h" in files else [_NO_HEADER]
    if "frontend.py" not in files:
        notes.append(_no_reference(settings))
    return "\n".join([
        f"# {facts.title}",
        "",
        "Research, not a diagnosis: read MODEL_CARD.md before you use a score.",
        "",
        *lines,
        "",
        *[f"{note}\n" for note in notes],
        "## Check",
        "",
        "    pip install ai-edge-litert numpy",
        "    python check.py",
        "",
        "It compares every file with its SHA-256, computes the features of the golden inputs where "
        "there is a frontend.py, and runs the model on them.",
        "",
        "The golden inputs are generated coughs, 16 bits at "
        f"{settings['sample_rate']:,} Hz (`waveforms`, padded to the longest; `lengths`), from "
        "`edac_core.datasets.synthetic.synthesize(seed % 2, seed=seed, source=...)` with the "
        "`seeds` 0 to 9, whose sources are studio, studio, telephone, telephone and so on. Nobody "
        "coughed them: their scores tell whether a port computes the same, and nothing else.",
        "",
        _use(facts, settings),
    ])  # fmt: skip


def _no_reference(settings: Mapping[str, Any]) -> str:
    return _NO_REFERENCE.format(
        count=len(settings["feature_names"]), version=settings["libraries"]["opensmile"], **settings
    )


def _use(facts: Facts, settings: Mapping[str, Any]) -> str:
    shape = " x ".join(map(str, settings["shape"]))
    return (
        "## Use\n\n"
        f"The model takes {shape} features ({settings['name']}, frontend.json) and answers with a "
        "score from 0 to 1: the last number of its output. It calls a recording positive if the "
        f"score is at least {np.float32(facts.variant.row['threshold'])} (operating_point.json).\n"
    )


def model_card(facts: Facts, footprint: Footprint) -> str:
    """Write MODEL_CARD.md.

    Parameters
    ----------
    facts
        Of the variant.
    footprint
        Of its file.
    """
    return "\n".join([
        f"# Model card: {facts.title}",
        "",
        "## What it is for",
        "",
        "Research on how far classifiers of coughs can be compressed, and tests of devices that "
        "run them. It is no medical device and gives no diagnosis; do not decide anything about "
        "a person by its score.",
        "",
        "## How it was made",
        "",
        *_made(facts),
        "",
        "## What was measured",
        "",
        *_measured(facts),
        "",
        "## Beside its baseline",
        "",
        *beside_baseline(facts),
        "",
        "## Where it runs",
        "",
        *where_it_runs(footprint),
        "",
        "## What that is worth",
        "",
        *[f"- {limit}" for limit in _limits(facts)],
        "",
        "## Data and licences",
        "",
        *_data(facts.data),
        "",
    ])  # fmt: skip


def _made(facts: Facts) -> Iterator[str]:
    row, config = facts.variant.row, facts.config
    yield f"- Network: {facts.spec.title}, front-end {facts.spec.frontend}."
    yield f"- Compression: {facts.title.partition(', ')[2]}."
    if sets := facts.sets:
        counts = ", ".join(f"{count} {name}" for name, count in sets.items())
        yield f"- Recordings: {counts}."
    yield f"- Protocol {facts.protocol}: {_PROTOCOLS.get(facts.protocol, 'see the study.')}"
    yield f"- Seeds: split {row['split_seed']}, training {row['training_seed']}."
    if "epochs" in config:
        yield f"- Training of this level: at most {config['epochs']} epochs."


def _measured(facts: Facts) -> Iterator[str]:
    tested, baseline = facts.tested(), facts.baseline
    copies = "" if tested["examples"] == tested["recordings"] else ", augmented copies included"
    yield (
        f"On {tested['examples']} test examples{copies}, {tested['positives']} of them positive; "
        "95 % intervals (AUC: DeLong; shares: Wilson), which hold for recordings like these only."
    )
    yield ""
    yield "| | this variant | float32 baseline |"
    yield "|---|---|---|"
    first = _figures(facts.variant)
    second = _figures(baseline) if baseline else {}
    yield from (f"| {name} | {value} | {second.get(name, '-')} |" for name, value in first.items())
    if latency := facts.variant.latency:
        yield f"\nLatency: a recording on one thread, without the front-end, {_machine(latency)}."


def _figures(measured: Measured) -> dict[str, str]:
    values = measured.figures()
    within = {
        f"AUC within {group['source']} (n = {group['examples']})": _written(group)
        for group in values["auc_within_source"]
    }
    latency = values["latency"]
    return {
        **within,
        "AUC over all sources together": _written(values["auc_pooled"]),
        "Sensitivity at the threshold": _written(values["sensitivity"]),
        "Specificity at the threshold": _written(values["specificity"]),
        "UAR, the mean of these two": f"{values['uar']:.3f}",
        "File": f"{values['bytes']['raw']:,} bytes",
        "File, zipped": f"{values['bytes']['zip']:,} bytes",
        "Weights that are not zero": f"{values['nonzero_weights']:,} of {values['weights']:,}",
        "Latency, median": f"{latency['median_ms']:.2g} ms" if latency else "not measured",
    }


def _limits(facts: Facts) -> Iterator[str]:
    if facts.data.get("synthetic"):
        yield "The recordings were made by a program: the figures say nothing of real coughs."
    yield (
        "Read the AUC within each source. That over all sources together also counts what only "
        "tells the sources apart, so it is no evidence that the model hears a disease."
    )
    if known := facts.data.get("metadata_auc"):
        yield (
            "Over all sources together, facts about the files alone predict the label, without "
            "anybody listening, with an AUC of: "
            f"{', '.join(f'{name} {value:.3f}' for name, value in known.items())}."
        )
    yield "These are the figures of one training run; other seeds give others."
    yield (
        "A variant that was chosen for its figures among many on the same test recordings owes "
        "some of them to chance; expect less elsewhere."
    )
    yield "Other microphones, rooms, people and ways to cough were not tested."
    yield "The labels are those of the data set; nobody here has verified them."


def _data(data: Mapping[str, Any]) -> Iterator[str]:
    dropped = sum(data.get("dropped", {}).values())
    yield (
        f"{data.get('title', data.get('dataset', 'Unknown'))}: {data.get('recordings', 'unknown')} "
        f"usable recordings, {dropped} left out, licence: {data.get('licence', 'unknown')}. No "
        "recording of it is in this bundle; the golden inputs are generated and free (CC0 1.0). "
        "frontend.py and check.py are under the Apache License 2.0."
    )
    yield from (f"\n{note}" for note in data.get("notes", []))


def reproduce(facts: Facts) -> str:
    """Write REPRODUCE.md."""
    row, versions = facts.variant.row, facts.job["environment"].get("versions", {})
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    study = facts.study["name"]
    return "\n".join([
        "# How to make this variant again",
        "",
        "With EDAC Explorer and the recordings in its data folder (`edac data list` tells where "
        "that is), in this folder:",
        "",
        "    edac run plan.toml",
        f"    {export_command(name_again(study), row, output='again.zip')}",
        "",
        f"plan.toml is the plan of the study {study!r}, narrowed to this variant, its float32 "
        "baseline and what else it starts from. To export it from the study itself:",
        "",
        f"    {export_command(study, row, output='again.zip')}",
        "",
        f"It was made with {listed or 'unknown versions'}. Another version or processor may round "
        "otherwise and train another network of the same kind; the same file has SHA-256",
        "",
        f"    {row['sha256']}",
        "",
    ])  # fmt: skip


def _written(interval: Values) -> str:
    estimate, low, high = (interval[name] for name in ("estimate", "low", "high"))
    if estimate is None or math.isnan(estimate):
        return "one class only"
    return f"{estimate:.3f} ({low:.3f} to {high:.3f})"


def _machine(latency: Values) -> str:
    machine = latency["machine"]
    cores = f", {machine['cores']} cores" if "cores" in machine else ""
    return f"on {machine.get('cpu', 'an unknown machine')}{cores}"
