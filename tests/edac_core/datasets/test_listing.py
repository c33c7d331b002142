import pytest

from edac_core.datasets.listing import MALFORMED, compare_counts, match, read_table
from edac_core.errors import DataError


@pytest.fixture
def read(tmp_path):
    def read_bytes(data, **options):
        file = tmp_path / "table.csv"
        file.write_bytes(data)
        return read_table(file, columns=("id", "status"), **options)

    return read_bytes


PLAIN = [{"id": "a", "status": "well"}, {"id": "b", "status": "ill"}]


@pytest.mark.parametrize(
    "data",
    [
        b"id,status\na,well\nb,ill\n",
        b"id,status\na,well\nb,ill",
        b"id,status\r\na,well\r\nb,ill\r\n",
        b"id,status\ra,well\rb,ill\r",
        b"\xef\xbb\xbfid,status\na,well\nb,ill\n",
        b"\nid, status\n\na , well\n,\n \n  , \nb,ill\n\n",
        b'"id","status"\n"a","well"\n"b","ill"\n',
        b"id,status\na,well,\nb,ill\n",
    ],
)
def test_a_table_is_read_whatever_wrote_it(read, data):
    assert [{key: row[key] for key in ("id", "status")} for row in read(data)] == PLAIN


def test_another_delimiter(read):
    assert read(b"id\tstatus\na\twell\nb\till\n", delimiter="\t") == PLAIN


def test_other_columns_are_kept_and_missing_values_are_blank(read):
    assert read(b",id,status,age\n0,a,well,30\n1,b\n") == [
        {"": "0", "id": "a", "status": "well", "age": "30"},
        {"": "1", "id": "b", "status": "", "age": ""},
    ]


def test_a_comma_in_quotes_is_no_delimiter_and_one_outside_makes_the_row_malformed(read):
    good, bad = read(b'id,status,town\na,well,"Anand, Gujarat"\nb,ill,Anand, Gujarat\n')
    assert good["town"] == "Anand, Gujarat"
    assert MALFORMED not in good
    assert bad[MALFORMED] == "more values than columns"


def test_a_foreign_character_spoils_only_itself(read):
    (row,) = read("id,status,town\na,well,Köln\n".encode("latin-1"))
    assert (row["id"], row["status"], row["town"]) == ("a", "well", "K�ln")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "lacks the column 'id'"),
        (b"\n\n", "lacks the column 'id'"),
        (b"id;status\na;well\n", "lacks the column 'id'"),
        (b"id\na\n", "lacks the column 'status'"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "lacks the column 'id'"),
        ("id,status\na,well\n".encode("utf-16"), "lacks the column 'id'"),
        (b'id,status\na,"well\nb,ill\n', "is not a table after line 1 (unexpected end"),
        (b'id,status\na,well\nb,"ill"b\n', "is not a table after line 2"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(read, data, complaint):
    with pytest.raises(DataError, match=r"table\.csv") as caught:
        read(data)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv cannot be read \(No such file"):
        read_table(tmp_path / "gone.csv", columns=())


def rows(*pairs):
    return [{"id": name, "status": status} for name, status in pairs]


def matched(table, files):
    return match(
        table,
        files,
        key="id",
        deciding=("status",),
        problem=lambda row: "unknown" if row["status"] == "unknown" else "",
    )


@pytest.fixture
def file(tmp_path):
    def write(name, content=b"x"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def test_rows_and_files_meet_by_name(file):
    a, b, d = file("a"), file("b"), file("d")
    found = matched(
        rows(("a", "well"), ("b", "unknown"), ("c", "ill")), {"a": [a], "b": [b], "d": [d]}
    )
    assert found.usable == [("a", {"id": "a", "status": "well"}, a)]
    assert found.dropped == [("b", "unknown"), ("c", "missing file"), ("d", "no metadata")]
    assert (found.listed, found.present, found.whole) == (3, 2, False)


def test_a_file_that_no_label_needs_may_be_missing(file):
    assert matched(rows(("a", "well"), ("b", "unknown")), {"a": [file("a")]}).whole


def test_rows_that_agree_count_once_and_others_not_at_all(file):
    files = {name: [file(name)] for name in "ab"}
    found = matched(
        rows(("a", "well"), ("b", "well"), ("a", "well"), ("b", "ill"), ("a", "well")), files
    )
    assert [name for name, _, _ in found.usable] == ["a"]
    assert found.dropped == [("a", "repeated row")] * 2 + [("b", "contradictory rows")] * 2


def test_files_that_are_equal_count_once_and_others_not_at_all(file):
    files = {
        "a": [file("a1"), file("a2")],
        "b": [file("b1"), file("b2", b"y")],
    }
    found = matched(rows(("a", "well"), ("b", "well")), files)
    assert [(name, path) for name, _, path in found.usable] == [("a", files["a"][0])]
    assert found.dropped == [("b", "different files of one name")]


def test_a_row_without_a_name_or_with_a_malformed_twin_stops_nothing(file):
    malformed = {"id": "a", "status": "ill", MALFORMED: "broken"}
    found = matched([*rows(("", "well")), malformed, *rows(("a", "well"))], {"a": [file("a")]})
    assert [(name, row["status"]) for name, row, _ in found.usable] == [("a", "well")]
    assert found.dropped == [("", "no id"), ("a", "broken")]


def test_nothing_is_ever_looked_up_outside_the_files(file):
    secret = file("secret")
    names = ["../secret", "/etc/hostname", "sub/../secret", str(secret)]
    found = matched(rows(*((name, "well") for name in names)), {"secret": [secret]})
    assert not found.usable
    assert found.dropped == [
        *((name, "missing file") for name in names),
        ("secret", "no metadata"),
    ]


def test_every_row_and_every_stray_file_is_accounted_for_once(file):
    table = rows(("a", "well"), ("a", "well"), ("b", "ill"), ("b", "well"), ("", "x"), ("c", "ill"))
    found = matched(table, {name: [file(name)] for name in "abd"})
    assert len(found.usable) + len(found.dropped) == len(table) + 1


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([0, 0, 1], "2 negative and 1 positive recordings, as in EDAC."),
        ([0, 1, 1], "1 negative and 2 positive recordings, where EDAC has 2 and 1."),
    ],
)
def test_counts_of_a_whole_data_set_are_compared(file, labels, sentence):
    whole = matched(rows(("a", "well")), {"a": [file("a")]})
    assert compare_counts(labels, (2, 1), matched=whole) == sentence


def test_counts_of_a_part_say_how_much_it_is(file):
    part = matched(rows(("a", "well"), ("b", "ill")), {"a": [file("a")]})
    assert compare_counts([0], (1984, 681), matched=part) == (
        "1 of 2 listed recordings are here, 1 labelled negative and 0 positive; "
        "EDAC has 1,984 and 681."
    )
