"""Numbers as they stand on the screen."""

from __future__ import annotations

import math
import re
import unicodedata

from edac_core.studies import BASELINE

UNKNOWN = "not measured"
UNPRUNED = "not pruned"
_MINUS = "\N{MINUS SIGN}"
# Addresses become links without any mark around them, and "1. " the first item of a list.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~:$&@]|(?<=www)\.|(?<=\d)\.(?= |$))", re.IGNORECASE)
_KILO, _MEGA = 1e3, 1e6
_MINUTE = 60
_TEN_WHEN_ROUNDED = 9.95
_LONGEST_NAME, _KEPT_OF_START, _KEPT_OF_END = 40, 28, 11


def auc(value: float, half_width: float | None = None) -> str:
    """Write an AUC with three decimals, and half its interval's width if given.

    >>> auc(0.8123, 0.0311)
    '0.812 ± 0.031'
    """
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:.3f}" if half_width is None else f"{value:.3f} {plus_minus(half_width)}"


def plus_minus(half_width: float) -> str:
    """Write an uncertainty of an AUC; one that a single value leaves open says so."""
    return f"± {half_width:.3f}" if math.isfinite(half_width) else "± unknown"


def difference(value: float) -> str:
    """Write a difference of AUCs with its sign."""
    if not math.isfinite(value):
        return "no baseline"
    rounded = round(value, 3)
    if rounded == 0:
        return "±0.000"
    return f"{'+' if rounded > 0 else _MINUS}{abs(rounded):.3f}"


def interval(low: float, high: float) -> str:
    """Write the bounds of a difference of AUCs."""
    return f"{difference(low)} to {difference(high)}"


def size(count: float) -> str:
    """Write a number of bytes in kB or MB (powers of ten), three significant figures.

    >>> size(22_739_000), size(215_000)
    ('22.7 MB', '215 kB')
    """
    unit, divisor = ("MB", _MEGA) if count >= 0.9995 * _MEGA else ("kB", _KILO)
    return f"{_figures(count / divisor, 3)} {unit}"


def milliseconds(value: float) -> str:
    """Write a latency with two significant figures."""
    return f"{_figures(value, 2)} ms" if math.isfinite(value) else UNKNOWN


def roughly(seconds: float) -> str:
    """Write how long something may take, no more exactly than that can be known.

    >>> roughly(40), roughly(250), roughly(4_300)
    ('under a minute', 'about 4 min', 'about 1 h 12 min')
    """
    minutes = round(seconds / _MINUTE)
    if seconds < _MINUTE:
        return "under a minute"
    if minutes < _MINUTE:
        return f"about {minutes} min"
    return f"about {minutes // _MINUTE} h {minutes % _MINUTE} min"


def per_cent(fraction: float) -> str:
    """Write a fraction in per cent, with as many decimals as it has.

    >>> per_cent(0.9), per_cent(0.999)
    ('90 %', '99.9 %')
    """
    return f"{_plain_per_cent(fraction)} %"


def level(method: str, sparsity: float) -> str:
    """Name what was done to a network: polynomial 95 %, qat, not pruned."""
    if method == BASELINE:
        return UNPRUNED
    return f"{method} {per_cent(sparsity)}" if sparsity else method


def per_cent_in_address(fraction: float) -> str:
    """Write a fraction as it stands in the page's address: a bare number of per cent."""
    return _plain_per_cent(fraction)


def count(number: float) -> str:
    """Write a number of weights: 129, 614 k, 6.15 M."""
    if number >= 0.9995 * _MEGA:
        return f"{_figures(number / _MEGA, 3)} M"
    return f"{_figures(number / _KILO, 3)} k" if number >= _KILO else f"{number:.0f}"


def times(ratio: float, *, more: str, less: str, same: str) -> str:
    """Write a ratio as what it means.

    >>> times(108.2, more="smaller", less="larger", same="same size")
    '108x smaller'
    >>> times(0.5, more="faster", less="slower", same="as fast")
    '2.0x slower'
    """
    if not math.isfinite(ratio) or ratio <= 0:
        return UNKNOWN
    factor, word = (ratio, more) if ratio >= 1 else (1 / ratio, less)
    written = f"{factor:.0f}" if factor >= _TEN_WHEN_ROUNDED else f"{factor:.1f}"
    return same if written == "1.0" else f"{written}x {word}"


def smaller(ratio: float) -> str:
    """Write how many times smaller something is than the baseline."""
    return times(ratio, more="smaller", less="larger", same="same size")


def faster(ratio: float) -> str:
    """Write how many times faster something is than the baseline."""
    return times(ratio, more="faster", less="slower", same="as fast")


def literally(text: str) -> str:
    r"""Write a text so that Markdown shows it as it is; it may come from an address or a file.

    What is not to be seen (control characters, changes of direction) is left out.

    >>> print(literally("a_b [c](d)"))
    a\_b \[c\]\(d\)
    """
    return _MARKDOWN.sub(r"\\\1", _visible(text))


def file_name(text: str) -> str:
    """Write the name of somebody's file on one short line, its ending kept.

    >>> file_name("../../" + 100 * "x" + ".wav")
    '../../xxxxxxxxxxxxxxxxxxxxxx…xxxxxxx.wav'
    """
    name = _visible(text)
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_KEPT_OF_START]}…{name[-_KEPT_OF_END:]}"
    return name or "The file"


def _visible(text: str) -> str:
    """Leave out what has no shape of its own, and all white space but single blanks."""
    seen = (c for c in text if c.isspace() or not unicodedata.category(c).startswith("C"))
    return " ".join("".join(seen).split())


def _plain_per_cent(fraction: float) -> str:
    return f"{100 * fraction:.6g}"


def _figures(value: float, figures: int) -> str:
    """Round to significant figures without an exponent, keeping trailing zeros."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{figures - 1}e}")
    decimals = max(0, figures - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{decimals}f}"
