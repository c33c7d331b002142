"""A variant as a bundle: everything that a person needs who gets nothing else."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edac_core.export import kit, words
from edac_core.export.archive import npz, zipped
from edac_core.export.facts import Facts, gather
from edac_core.export.frontend import frontend_settings, has_reference
from edac_core.export.goldens import make_golden
from edac_core.export.header import MOST_BYTES, c_header
from edac_core.export.reproduce import NETWORK_FILE, narrowed, to_toml
from edac_core.frontends import get_frontend
from edac_core.frontends.base import Frontend
from edac_core.measure.footprint import footprint
from edac_core.studies.store import Store

# Five times the model's size and dull: a higher level takes seconds for little.
_LEVELS = {"model.h": 3}


@dataclass(frozen=True)
class Bundle:
    """A bundle's files by name, and the folder they lie in."""

    folder: str
    files: Mapping[str, bytes]

    def zipped(self) -> bytes:
        """Return it as a zip archive: the same bundle gives the same bytes."""
        return zipped(self.files, folder=self.folder, levels=_LEVELS)


def make_bundle(store: Store, *, study: str, variant: str) -> Bundle:
    """Bring a variant's model, front-end, golden inputs, figures and words together.

    Parameters
    ----------
    store
        Where it is.
    study, variant
        Name of the study, key of one of its variants.

    Raises
    ------
    StoreError
        If the store has no such variant, or its file is missing or damaged.
    ModelError
        If the file is no model, or not one for its network's front-end.
    PlanError
        If the front-end needs a library that is not installed.
    """
    facts = gather(store, study=study, variant=variant)
    model = store.model(facts.variant.row["sha256"])
    frontend = get_frontend(facts.spec.frontend)
    settings = frontend_settings(frontend)
    asked = footprint(model)
    files = {
        **_model_files(model, facts),
        **_frontend_files(frontend, settings),
        "golden.npz": npz(make_golden(model, frontend).arrays()),
        "check.py": _script("check.py"),
        "operating_point.json": _json(facts.operating_point()),
        "metrics.json": _json(facts.metrics(asked)),
        "MODEL_CARD.md": words.model_card(facts, asked).encode(),
        "REPRODUCE.md": words.reproduce(facts).encode(),
        "plan.toml": to_toml(narrowed(facts.study["plan"], facts.config)).encode(),
    }
    if definition := facts.config.get("definition"):
        files[NETWORK_FILE] = definition.encode()
    files["README.md"] = words.readme(facts, files=files, settings=settings).encode()
    return Bundle(facts.variant.name, {**files, "SHA256SUMS": _digests(files)})


def _model_files(model: bytes, facts: Facts) -> dict[str, bytes]:
    files = {"model.tflite": model}
    if len(model) <= MOST_BYTES:
        threshold = facts.variant.row["threshold"]
        files["model.h"] = c_header(model, title=facts.title, threshold=threshold)
    return files


def _frontend_files(frontend: Frontend, settings: Mapping[str, Any]) -> dict[str, bytes]:
    files = {"frontend.json": _json(settings)}
    if has_reference(frontend):
        files["frontend.py"] = _script("frontend.py")
    return files


def _script(name: str) -> bytes:
    return importlib.resources.files(kit).joinpath(name).read_bytes()


def _digests(files: Mapping[str, bytes]) -> bytes:
    """Write the digests as `sha256sum` does."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    return "".join(lines).encode()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
