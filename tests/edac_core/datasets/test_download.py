import hashlib
import io
import socket
import zipfile

import pytest

from edac_core.datasets import open_dataset
from edac_core.datasets.download import DOWNLOADABLE, download
from edac_core.errors import DataError

NAME = "covid19-cough"


class Site:
    """A server of one archive, with Range, If-Range and a connection that can break."""

    def __init__(self, data):
        self.data = data
        self.ranges = []
        self.stop_after = None
        self.status = None
        self.etag = True

    @property
    def tag(self):
        return f'"{hashlib.sha256(self.data).hexdigest()}"'

    def answer(self, handler):
        self.ranges.append(handler.headers.get("Range"))
        if self.status:
            handler.send_error(self.status)
            return
        start = self.start_of(handler.headers)
        if start >= len(self.data):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        if start:
            total = len(self.data)
            handler.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if self.etag:
            handler.send_header("ETag", self.tag)
        handler.send_header("Content-Length", str(len(self.data) - start))
        handler.end_headers()
        handler.wfile.write(self.data[start : self.stop_after])

    def start_of(self, headers):
        asked = headers.get("Range")
        if asked is None or headers.get("If-Range") != self.tag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))


@pytest.fixture
def archive(covid19_cough_folder):
    return zipped(covid19_cough_folder)


def zipped(folder, **extra):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted(folder.rglob("*")):
            bundle.write(path, f"dataset-master/{path.relative_to(folder)}")
        for name, text in extra.items():
            bundle.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def site(archive):
    return Site(archive)


@pytest.fixture
def fetch(site, serve, tmp_path):
    url = serve(site)

    def run(**options):
        base_url = f"{url}/dataset/"
        return download(NAME, target=tmp_path / "to", base_url=base_url, progress=False, **options)

    return run


def test_a_whole_download_can_be_opened(fetch, tmp_path, archive):
    folder = fetch()
    assert folder == (tmp_path / "to" / NAME).resolve()
    assert len(open_dataset(NAME, path=folder).recordings) == 6
    recorded = (tmp_path / "to" / f"{NAME}.zip.sha256").read_text().split()[0]
    assert recorded == hashlib.sha256(archive).hexdigest()
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == [
        NAME,
        f"{NAME}.zip",
        f"{NAME}.zip.sha256",
    ]


def test_what_is_there_is_not_fetched_again(fetch, site):
    assert fetch() == fetch()
    assert len(site.ranges) == 1


def test_an_interrupted_download_goes_on(fetch, site, tmp_path):
    site.stop_after = 9_000
    with pytest.raises(DataError, match=r"stopped after \d+\.\d MB: run it again to go on"):
        fetch()
    assert not (tmp_path / "to" / NAME).exists()
    site.stop_after = None
    assert len(open_dataset(NAME, path=fetch()).recordings) == 6
    assert site.ranges == [None, "bytes=8192-"]
    assert not list((tmp_path / "to").glob("*.part*"))


def test_an_archive_that_changed_meanwhile_is_fetched_whole(fetch, site, covid19_cough_folder):
    site.stop_after = 9_000
    with pytest.raises(DataError):
        fetch()
    site.stop_after = None
    site.data = zipped(covid19_cough_folder, **{"dataset-master/NEWS": "new"})
    assert (fetch() / "NEWS").read_text() == "new"
    assert site.ranges[1] is not None


def test_without_a_validator_nothing_is_resumed(fetch, site):
    site.etag, site.stop_after = False, 9_000
    with pytest.raises(DataError):
        fetch()
    site.stop_after = None
    fetch()
    assert site.ranges == [None, None]


def test_a_part_that_was_already_whole_is_fetched_afresh(fetch, site, tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / f"{NAME}.part").write_bytes(site.data)
    (tmp_path / "to" / f"{NAME}.part.etag").write_text(site.tag)
    assert fetch().is_dir()
    assert site.ranges == [f"bytes={len(site.data)}-", None]


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7])
def test_a_damaged_archive_is_refused_and_forgotten(fetch, site, tmp_path, where):
    whole = site.data
    start = int(where * len(whole))
    site.data = whole[:start] + bytes(byte ^ 0xFF for byte in whole[start : start + 64])
    site.data += whole[start + 64 :]
    with pytest.raises(DataError, match="damaged or not the data set") as caught:
        fetch()
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "to").iterdir())
    site.data = whole
    assert fetch().is_dir()


@pytest.mark.parametrize("data", [b"<html>not an archive</html>", b"PK\x03\x04"])
def test_what_is_no_archive_is_refused(fetch, site, data):
    site.data = data
    with pytest.raises(DataError, match="damaged or not the data set"):
        fetch()


def test_an_archive_of_something_else_is_refused(fetch, site, tmp_path):
    (tmp_path / "other").mkdir()
    site.data = zipped(tmp_path / "other", **{"other-main/README": "hello"})
    with pytest.raises(DataError, match=r"not the data set .*metadata\.json is missing"):
        fetch()


@pytest.mark.parametrize(
    "member", ["dataset-master/../../evil", "../evil", "/evil", "dataset-master/..\\evil"]
)
def test_an_archive_cannot_write_elsewhere(fetch, site, tmp_path, covid19_cough_folder, member):
    site.data = zipped(covid19_cough_folder, **{member: "evil"})
    with pytest.raises(DataError, match="outside its folder"):
        fetch()
    assert not list(tmp_path.rglob("*evil*"))


def test_a_known_hash_is_verified(fetch, site, tmp_path):
    assert fetch(known_hash=hashlib.sha256(site.data).hexdigest()).is_dir()


def test_a_wrong_hash_is_refused(fetch, tmp_path):
    with pytest.raises(DataError, match=f"does not have the SHA-256 {'0' * 64}"):
        fetch(known_hash="0" * 64)
    assert not list((tmp_path / "to").iterdir())


def test_an_archive_that_is_there_is_unpacked_again_without_a_connection(fetch, site, tmp_path):
    fetch().rename(tmp_path / "away")
    assert fetch().is_dir()
    assert len(site.ranges) == 1


def test_an_archive_that_was_damaged_since_is_fetched_again(fetch, site, tmp_path):
    fetch().rename(tmp_path / "away")
    with (tmp_path / "to" / f"{NAME}.zip").open("r+b") as file:
        file.write(b"damage")
    assert fetch().is_dir()
    assert len(site.ranges) == 2


def test_a_servers_refusal_is_one_sentence(fetch, site):
    site.status = 404
    with pytest.raises(DataError, match=r"master\.zip answered 404: check the address"):
        fetch()


def test_no_network_is_one_sentence(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(DataError, match="cannot be reached: check the network connection"):
            download(NAME, target=tmp_path, base_url=url, progress=False)


def test_a_folder_in_the_way_is_left_alone(fetch, tmp_path):
    mine = tmp_path / "to" / NAME / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(DataError, match="is in the way"):
        fetch()
    assert mine.read_text() == "mine"


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    assert DOWNLOADABLE == (NAME, "coswara")
    with pytest.raises(DataError, match="'folder' cannot be downloaded: covid19-cough, coswara"):
        download("folder", target=tmp_path)


@pytest.mark.parametrize(
    ("name", "where"), [("coughvid", "https://zenodo.org/records/7024894"), ("urtic", "request")]
)
def test_what_is_fetched_by_hand_says_where_it_is_in_one_sentence(tmp_path, name, where):
    with pytest.raises(DataError, match=where) as caught:
        download(name, target=tmp_path)
    assert f"so that {tmp_path.resolve() / name} holds" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(fetch, tmp_path):
    (tmp_path / "to").write_text("a file")
    with pytest.raises(DataError, match="cannot be written to"):
        fetch()
