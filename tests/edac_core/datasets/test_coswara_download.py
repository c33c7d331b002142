import hashlib
import io
import json
import socket
import tarfile
from urllib.parse import urlsplit

import pytest
import soundfile

from edac_core.datasets import coswara_download, open_dataset
from edac_core.datasets.download import download
from edac_core.errors import DataError

DATES = ("20200413", "20210419")
PART_BYTES = 12_000


def wav(tmp_path, write_noise, seed):
    return write_noise(tmp_path / "source" / f"{seed}.wav", seed=seed, rate=22_050).read_bytes()


def archive(members, *, links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            bundle.addfile(info, io.BytesIO(data))
        for name, kind, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            bundle.addfile(info)
    return buffer.getvalue()


def cut(data, *, name):
    pieces = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
    return {f"{name}.tar.gz.a{chr(ord('a') + n)}": piece for n, piece in enumerate(pieces)}


class Site:
    """A repository's tree and files, with Range, If-Range and a connection that can break."""

    def __init__(self, files):
        self.files = files
        self.asked = []
        self.ranges = []
        self.break_at = None
        self.sent_instead = {}
        self.tree = None

    def answer(self, handler):
        path = urlsplit(handler.path).path
        self.asked.append(path)
        self.ranges.append(handler.headers.get("Range"))
        if path == "/mirror/git/trees/master":
            body = self.tree if self.tree is not None else self.listing()
        else:
            name = path.removeprefix("/mirror/raw/master/")
            body = self.sent_instead.get(name, self.files.get(name))
        self.send(handler, body)

    def send(self, handler, body):
        if body is None:
            handler.send_error(404)
            return
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        asked = handler.headers.get("Range")
        resumed = asked is not None and handler.headers.get("If-Range") == tag
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if resumed else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("ETag", tag)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        broken = len(self.asked) == self.break_at
        handler.wfile.write(body[start : -len(body) // 4] if broken else body[start:])

    def listing(self):
        blobs = [
            {
                "path": path,
                "type": "blob",
                "size": len(data),
                "sha": hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest(),
            }
            for path, data in sorted(self.files.items())
        ]
        trees = [{"path": date, "type": "tree", "sha": "0" * 40} for date in DATES]
        return json.dumps({"sha": "0" * 40, "tree": trees + blobs, "truncated": False}).encode()

    @property
    def parts(self):
        return [path.rsplit("/", 1)[1] for path in self.asked if ".tar.gz." in path]


@pytest.fixture
def members(tmp_path, write_noise):
    """Files of each date's archive."""
    found = {}
    for seed, (date, name) in enumerate([(DATES[0], "p0"), (DATES[0], "p1"), (DATES[1], "p2")]):
        folder = f"{date}/{name}"
        found.setdefault(date, {})[f"{folder}/cough-shallow.wav"] = wav(tmp_path, write_noise, seed)
        found[date][f"{folder}/metadata.json"] = b"{}"
    return found


@pytest.fixture
def site(members):
    files = {
        "combined_data.csv": b"id,covid_status\np0,healthy\np1,healthy\np2,positive_mild\n",
        "csv_labels_legend.json": b"{}",
        "LICENSE.md": b"CC BY 4.0",
        "annotations/cough-shallow_labels.csv": b"FILENAME, QUALITY\np0_cough-shallow,2\n",
        "README.md": b"Not needed.",
        "extract_data.py": b"raise SystemExit('Not needed.')",
    }
    for date, contents in members.items():
        parts = cut(archive(contents), name=f"{date}/{date}")
        assert len(parts) > 1
        files |= {f"{date}/{date}.csv": b"Not needed.", **parts}
    return Site(files)


@pytest.fixture
def fetch(site, serve, tmp_path):
    url = f"{serve(site)}/mirror"

    def run():
        return download("coswara", target=tmp_path / "to", base_url=url, progress=False)

    return run


def files_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def expected(site, members):
    kept = ("combined_data.csv", "csv_labels_legend.json", "LICENSE.md", "annotations/")
    tables = {path: data for path, data in site.files.items() if path.startswith(kept)}
    extracted = {
        f"Extracted_data/{path}": data
        for contents in members.values()
        for path, data in contents.items()
    }
    return tables | extracted


def test_everything_is_unpacked_and_can_be_opened(fetch, tmp_path, expected):
    folder = fetch()
    assert folder == (tmp_path / "to" / "Coswara-Data").resolve()
    assert files_in(folder) == expected
    dataset = open_dataset("coswara", path=folder)
    assert dataset.recordings["label"].tolist() == [0, 0, 1]
    assert soundfile.info(dataset.recordings["path"][0]).samplerate == 22_050
    assert {path.name for path in folder.iterdir()} == {
        "combined_data.csv",
        "csv_labels_legend.json",
        "LICENSE.md",
        "annotations",
        "Extracted_data",
    }


def test_what_is_there_is_not_fetched_again(fetch, site):
    fetch()
    before = len(site.asked)
    fetch()
    assert site.asked[before:] == ["/mirror/git/trees/master"]


def test_a_new_date_is_fetched_alone(fetch, site, members):
    fetch()
    before = len(site.parts)
    more = {path.replace(DATES[1], "20220224"): data for path, data in members[DATES[1]].items()}
    site.files |= cut(archive(more), name="20220224/20220224")
    folder = fetch()
    assert {name.split(".")[0] for name in site.parts[before:]} == {"20220224"}
    assert (folder / "Extracted_data" / "20220224" / "p2" / "cough-shallow.wav").is_file()


def test_an_interruption_at_any_request_is_made_good(site, serve, tmp_path, expected):
    url = f"{serve(site)}/mirror"
    tables_and_parts = 4 + sum(".tar.gz." in path for path in site.files)
    for number in range(2, 2 + tables_and_parts):
        site.asked, site.ranges, site.break_at = [], [], number
        target = tmp_path / f"to{number}"
        with pytest.raises(DataError, match=r"run (it|the download) again"):
            download("coswara", target=target, base_url=url, progress=False)
        interrupted = site.asked[-1]
        assert len(site.asked) == number
        site.break_at = None
        folder = download("coswara", target=target, base_url=url, progress=False)
        assert files_in(folder) == expected
        assert site.parts.count(interrupted.rsplit("/", 1)[1]) <= 2
        others = [name for name in site.parts if not interrupted.endswith(name)]
        assert len(others) == len(set(others))


def test_an_interrupted_part_goes_on_where_it_stopped(fetch, site):
    site.break_at = 6
    with pytest.raises(DataError, match=r"20200413\.tar\.gz\.aa stopped after 0\.0 MB: run it"):
        fetch()
    site.break_at = None
    fetch()
    assert site.ranges[6:8] == [None, "bytes=8192-"]


def test_a_date_that_was_not_unpacked_to_its_end_is_not_there(fetch, site, monkeypatch, expected):
    safe = coswara_download._safe

    def interrupted(member, folder):
        if member.name.endswith("p1/cough-shallow.wav"):
            raise KeyboardInterrupt
        return safe(member, folder)

    monkeypatch.setattr(coswara_download, "_safe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch()
    monkeypatch.undo()
    fetched = site.parts
    folder = fetch()
    assert files_in(folder) == expected
    assert len(site.parts) == len(set(site.parts))
    assert all(name.startswith(DATES[0]) for name in fetched)


def test_nothing_of_a_date_shows_before_it_is_whole(fetch, site, tmp_path):
    site.break_at = 7
    with pytest.raises(DataError):
        fetch()
    assert not (tmp_path / "to" / "Coswara-Data" / "Extracted_data").exists()


def test_parts_of_a_date_that_is_unpacked_are_removed_later_if_not_at_once(
    fetch, site, monkeypatch, tmp_path, expected
):
    remove = coswara_download.shutil.rmtree

    def interrupted(folder, **options):
        if folder.name == DATES[0]:
            raise KeyboardInterrupt
        remove(folder, **options)

    monkeypatch.setattr(coswara_download.shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch()
    monkeypatch.undo()
    folder = tmp_path / "to" / "Coswara-Data"
    assert list((folder / ".download" / DATES[0]).glob("*.tar.gz.*"))
    assert files_in(fetch()) == expected
    assert len(site.parts) == len(set(site.parts))


def test_a_wrong_byte_is_noticed_and_forgotten(fetch, site, expected):
    name = f"{DATES[0]}/{DATES[0]}.tar.gz.ab"
    right = site.files[name]
    site.sent_instead[name] = right[:100] + bytes([right[100] ^ 1]) + right[101:]
    with pytest.raises(DataError, match=r"tar\.gz\.ab sent does not have the size and SHA-1"):
        fetch()
    site.sent_instead.clear()
    assert files_in(fetch()) == expected
    assert site.parts.count(f"{DATES[0]}.tar.gz.aa") == 1


def test_a_part_that_was_damaged_on_the_disk_is_fetched_again(fetch, site, tmp_path, expected):
    site.break_at = 7
    with pytest.raises(DataError):
        fetch()
    site.break_at = None
    part = tmp_path / "to" / "Coswara-Data" / ".download" / DATES[0] / f"{DATES[0]}.tar.gz.aa"
    part.write_bytes(bytes(part.stat().st_size))
    assert files_in(fetch()) == expected


def test_a_part_that_had_arrived_is_not_asked_for(fetch, site, tmp_path, expected):
    name = f"{DATES[0]}.tar.gz.aa"
    part = tmp_path / "to" / "Coswara-Data" / ".download" / DATES[0] / f"{name}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(site.files[f"{DATES[0]}/{name}"])
    assert files_in(fetch()) == expected
    assert name not in site.parts


def test_a_table_that_changed_is_fetched_again(fetch, site):
    fetch()
    site.files["combined_data.csv"] += b"p3,healthy\n"
    assert (fetch() / "combined_data.csv").read_bytes().endswith(b"p3,healthy\n")


def test_only_what_is_safe_is_kept(fetch, site, members, tmp_path, expected):
    hostile = {
        "../escaped": b"evil",
        "../../escaped": b"evil",
        f"{tmp_path}/escaped": b"evil",
        f"{DATES[0]}/../../../../escaped": b"evil",
        f"{DATES[1]}/p9/elsewhere.wav": b"other date",
    }
    links = [
        (f"{DATES[0]}/p0/link", tarfile.SYMTYPE, "../../../../../escaped"),
        (f"{DATES[0]}/p0/inside", tarfile.SYMTYPE, "metadata.json"),
        (f"{DATES[0]}/p0/hard", tarfile.LNKTYPE, "/etc/hostname"),
        (f"{DATES[0]}/p0/pipe", tarfile.FIFOTYPE, ""),
    ]
    data = archive(hostile | members[DATES[0]], links=links)
    for path in [path for path in site.files if path.startswith(f"{DATES[0]}/{DATES[0]}.tar")]:
        del site.files[path]
    site.files |= cut(data, name=f"{DATES[0]}/{DATES[0]}")
    folder = fetch()
    assert files_in(folder) == expected
    assert not [path for path in folder.rglob("*") if path.is_symlink() or path.is_fifo()]
    assert not list(tmp_path.rglob("*escaped*"))
    assert not list(tmp_path.parent.glob("*escaped*"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda data, _: data[:-2_000], "Compressed file ended"),
        (lambda data, _: b"not gzip" + data, "Not a gzipped file"),
        (lambda data, _: data[:5_000] + bytes(50) + data[5_050:], ""),
        (lambda data, _: data[:-8] + bytes(4) + data[-4:], "CRC check failed"),
        (lambda _, contents: archive({f"other/{path}": b"" for path in contents}), "no folder"),
        (lambda *_: archive({}), "no folder"),
    ],
)
def test_a_damaged_date_does_not_keep_the_others_back(fetch, site, members, tmp_path, spoil, why):
    date = DATES[0]
    names = [path for path in sorted(site.files) if path.startswith(f"{date}/{date}.tar")]
    data = spoil(b"".join(site.files.pop(path) for path in names), members[date])
    site.files |= cut(data, name=f"{date}/{date}")
    with pytest.raises(DataError, match=f"archives of {date} are damaged.*{why}") as caught:
        fetch()
    assert "\n" not in str(caught.value)
    extracted = tmp_path / "to" / "Coswara-Data" / "Extracted_data"
    assert [path.name for path in extracted.iterdir()] == [DATES[1]]


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        (b"<html>", "is no tree of files"),
        (b"[]", "is no tree of files"),
        (b'{"message": "Not Found"}', "is no tree of files"),
        (b'{"tree": [{"type": "blob", "path": "x"}]}', "is no tree of files"),
        (b'{"tree": [], "truncated": true}', "lists only a part"),
        (b'{"tree": [], "truncated": false}', "does not list Coswara's combined_data.csv"),
    ],
)
def test_another_answer_than_a_whole_tree_is_refused(fetch, site, tmp_path, tree, complaint):
    site.tree = tree
    with pytest.raises(DataError) as caught:
        fetch()
    assert complaint in str(caught.value)
    assert not (tmp_path / "to").exists()


def test_a_tree_cannot_name_files_elsewhere(fetch, site, tmp_path, expected):
    listing = json.loads(site.listing())
    for path in ("annotations/../../evil.csv", "../evil.csv", "annotations/..", "evil.csv"):
        listing["tree"].append({"path": path, "type": "blob", "size": 0, "sha": "0" * 40})
    site.tree = json.dumps(listing).encode()
    assert files_in(fetch()) == expected
    assert not list(tmp_path.rglob("*evil*"))


def test_a_servers_refusal_is_one_sentence(fetch, site):
    site.sent_instead[f"{DATES[0]}/{DATES[0]}.tar.gz.aa"] = None
    with pytest.raises(DataError, match=r"tar\.gz\.aa answered 404: check the address"):
        fetch()


def test_no_network_is_one_sentence(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(DataError, match="cannot be reached: check the network connection"):
            download("coswara", target=tmp_path, base_url=url, progress=False)


def test_a_folder_that_cannot_be_made_is_named(fetch, tmp_path):
    (tmp_path / "to").write_text("a file")
    with pytest.raises(DataError, match="cannot be written to"):
        fetch()


def test_coswara_is_not_one_archive(tmp_path):
    with pytest.raises(DataError, match="is not one archive: leave the SHA-256 0123 out"):
        download("coswara", target=tmp_path, known_hash="0123")


def test_it_is_published_where_github_answers():
    assert coswara_download.GITHUB.tree_url == (
        "https://api.github.com/repos/iiscleap/Coswara-Data/git/trees/master?recursive=1"
    )
    assert coswara_download.GITHUB.files_url == (
        "https://raw.githubusercontent.com/iiscleap/Coswara-Data/master"
    )
