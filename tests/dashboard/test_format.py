import math

import pytest

from dashboard import format as write


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (22_739_000, "22.7 MB"),
        (6_170_000, "6.17 MB"),
        (215_000, "215 kB"),
        (1_000_000, "1.00 MB"),
        (999_600, "1.00 MB"),
        (999_400, "999 kB"),
        (1_234, "1.23 kB"),
        (0, "0 kB"),
    ],
)
def test_sizes_have_three_figures_and_powers_of_ten(count, expected):
    assert write.size(count) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.394, "0.39 ms"), (1.849, "1.8 ms"), (0.0996, "0.10 ms"), (9.96, "10 ms"), (104.7, "100 ms"),
     (math.nan, "not measured")],
)  # fmt: skip
def test_latencies_have_two_figures(value, expected):
    assert write.milliseconds(value) == expected


@pytest.mark.parametrize(
    ("fraction", "written"),
    [(0, "0"), (0.1, "10"), (0.55, "55"), (0.999, "99.9"), (1 - 0.001, "99.9"), (0.07, "7")],
)
def test_per_cent_is_written_without_binary_dust(fraction, written):
    assert write.per_cent(fraction) == f"{written} %"
    assert write.per_cent_in_address(fraction) == written


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (108.2, "108x smaller"),
        (3.96, "4.0x smaller"),
        (9.94, "9.9x smaller"),
        (9.96, "10x smaller"),
        (1.04, "same size"),
        (0.97, "same size"),
        (0.5, "2.0x larger"),
        (math.nan, "not measured"),
        (math.inf, "not measured"),
    ],
)
def test_ratios_are_words(ratio, expected):
    assert write.smaller(ratio) == expected


def test_speed_has_its_own_words():
    assert [write.faster(ratio) for ratio in (3.2, 0.8, 1)] == [
        "3.2x faster", "1.2x slower", "as fast"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-0.0042, "\N{MINUS SIGN}0.004"),
        (0.0213, "+0.021"),
        (-0.0003, "±0.000"),
        (math.nan, "no baseline"),
    ],
)
def test_differences_carry_a_sign(value, expected):
    assert write.difference(value) == expected


def test_auc_with_and_without_its_interval():
    assert write.auc(0.8123) == "0.812"
    assert write.auc(0.8123, 0.0311) == "0.812 ± 0.031"
    assert write.auc(0.8, math.nan) == "0.800 ± unknown"
    assert write.auc(math.nan, 0.1) == "not measured"


@pytest.mark.parametrize(
    ("number", "expected"), [(129, "129"), (614_470, "614 k"), (6_144_704, "6.14 M"), (0, "0")]
)
def test_counts(number, expected):
    assert write.count(number) == expected


def test_markdown_is_shown_not_followed():
    hostile = "![x](http://example.org/a.png) *bold* `code` :red[x] $y$ <b>\nnext"
    written = write.literally(hostile)
    assert written.replace("\\", "") == hostile.replace("\n", " ")
    for character in "![](*`:$<>":
        assert f"\\{character}" in written


def test_addresses_become_no_links():
    assert write.literally("www.example.org me@example.org") == "www\\.example.org me\\@example.org"


HOSTILE_NAMES = [
    "../../etc/passwd",
    "a\0b.wav",
    "x" * 4096 + ".wav",
    "cough\u202egpj.wav",
    "<script>alert(1)</script>.wav",
    "\ud800.wav",
    "\n\t.wav",
    "\u200b",
    "",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_short_and_has_only_what_can_be_seen(name):
    written = write.file_name(name)
    assert 0 < len(written) <= 40
    assert written.isprintable()
    assert written.encode()


def test_a_long_name_keeps_its_beginning_and_its_ending():
    assert write.file_name("y" + 4096 * "x" + ".flac") == f"y{27 * 'x'}…{6 * 'x'}.flac"
    assert write.file_name("cough 1.wav") == "cough 1.wav"
