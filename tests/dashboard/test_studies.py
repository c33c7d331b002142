import shutil

import pandas as pd
import pytest

from dashboard.studies import (
    Study,
    find_studies,
    read_comparison,
    read_figures,
    read_files,
    read_groups,
    read_model,
)
from edac_core.errors import StoreError
from edac_core.studies.store import Store


def test_nothing_anywhere_is_no_problem(stores):
    assert find_studies() == ([], [])


def test_a_study_says_what_it_is(stores, made_up):
    stores(shipped=made_up)
    (study,), problems = find_studies()
    assert (study.name, study.title, study.protocol) == ("made-up", "Made-up coughs", "clean")
    assert (study.sets_of("cnn")["test"], study.synthetic, problems) == (190, False, [])


def test_a_network_is_called_what_its_study_says():
    networks = {"mine": {"title": "My own", "sets": {"test": 12}}}
    study = Study(None, "s", "s", "S", {}, {"networks": networks, "sets": {"test": 9}})
    assert [study.title_of(name) for name in ("mine", "cnn_lstm", "other")] == [
        "My own", "CNN-LSTM", "other",
    ]  # fmt: skip
    assert (study.sets_of("mine")["test"], study.sets_of("cnn")["test"]) == (12, 9)


def test_namesakes_stay_apart(stores, made_up, tmp_path, build):
    build(tmp_path, title="Mine", runs=((0, 1),), precisions=("float32",))
    stores(shipped=made_up, local=tmp_path)
    studies, _ = find_studies()
    assert [study.identifier for study in studies] == ["made-up", "local/made-up"]
    assert [study.title for study in studies] == ["Made-up coughs", "Mine"]


def test_a_damaged_store_is_a_sentence_and_the_other_still_works(stores, made_up, tmp_path):
    (tmp_path / Store.DATABASE).write_bytes(b"not a database" * 100)
    stores(shipped=made_up, local=tmp_path)
    studies, (problem,) = find_studies()
    assert [study.name for study in studies] == ["made-up"]
    assert str(tmp_path) in problem


def test_figures_are_of_the_studys_own_protocol(stores, tmp_path, build):
    """A protocol's figures and another's are never on one page."""
    build(tmp_path, runs=((0, 1),), precisions=("float32",))
    store = Store(tmp_path)
    store._database.execute(
        "UPDATE jobs SET config = json_set(config, '$.protocol', 'paper') "
        "WHERE config ->> 'method' = 'constant'"
    )
    store._database.commit()
    store.close()
    stores(local=tmp_path)
    (study,), _ = find_studies()
    figures = read_figures(study)
    for frame in (figures.variants, figures.summary):
        assert set(frame["protocol"]) == {"clean"}
        assert "constant" not in set(frame["method"])


def test_comparisons_are_of_one_network(stores, made_up):
    stores(shipped=made_up)
    (study,), _ = find_studies()
    comparison = read_comparison(study, "cnn_lstm")
    assert set(comparison["model"]) == {"cnn_lstm"}
    assert len(comparison) == 5 * 3
    reference = comparison.query("method == 'none' and precision == 'float32'")
    assert reference["mcnemar_p"].tolist() == [1]
    assert comparison["mcnemar_p"].between(0, 1).all()
    assert comparison["mcnemar_p"].min() < 0.05


def test_comparisons_of_some_jobs_are_those_of_all(stores, made_up):
    stores(shipped=made_up)
    (study,), _ = find_studies()
    every = read_comparison(study, "cnn")
    variants = read_figures(study).variants.query("model == 'cnn'")
    query = "method == 'none' or (sparsity == 0.95 and precision == 'int8')"
    some = read_comparison(study, "cnn", only=variants.query(query))
    assert len(some) == 3 + 2
    wanted = every.query(query).reset_index(drop=True)
    pd.testing.assert_frame_equal(some, wanted)


def test_comparisons_of_a_damaged_store_are_a_sentence(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    damaged = Store(tmp_path / "store")
    damaged._database.execute("UPDATE variants SET test_scores = x'00000000'")
    damaged._database.commit()
    damaged.close()
    stores(local=tmp_path / "store")
    (study,), _ = find_studies()
    with pytest.raises(StoreError, match="run the study's plan again"):
        read_comparison(study, "cnn")


def test_a_damaged_store_is_a_sentence_whatever_is_read(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    stores(local=tmp_path / "store")
    (study,), _ = find_studies()
    jobs = read_figures(study).variants["job"].unique()[:2]
    files = read_files(study, jobs)
    damaged = Store(tmp_path / "store")
    damaged._database.execute("DROP TABLE groups")
    damaged._database.execute("DROP TABLE latencies")
    damaged.close()
    with pytest.raises(StoreError, match="cannot be used"):
        read_files(study, jobs)
    with pytest.raises(StoreError, match="cannot be used"):
        read_groups(study, files)


def test_figures_are_read_once_and_again_when_the_store_grows(stores, tmp_path, build, monkeypatch):
    small = {"levels": [("none", 0.0)], "precisions": ("float32",)}
    build(tmp_path, runs=((0, 1),), **small)
    stores(local=tmp_path)
    (study,), _ = find_studies()
    assert len(read_figures(study).variants) == 1
    monkeypatch.setattr(Store, "figures", None)
    assert len(read_figures(study).variants) == 1
    monkeypatch.undo()
    stores(local=tmp_path)
    build(tmp_path, runs=((0, 2), (0, 3)), **small)
    (study,), _ = find_studies()
    assert len(read_figures(study).variants) == 2


def test_reading_shows_what_a_running_study_has_written(stores, tmp_path, build):
    """Rows that SQLite still keeps in its log are seen, and change the version."""
    build(tmp_path, runs=((0, 1),), levels=[("none", 0.0)], precisions=("float32",))
    stores(local=tmp_path)
    (before,), _ = find_studies()
    writer = Store(tmp_path)
    writer.put_study("other", title="Other", plan={}, data={})
    after, _ = find_studies()
    writer.close()
    assert [study.name for study in after] == ["made-up", "other"]
    assert after[0].shelf.version != before.shelf.version


def test_reading_leaves_the_shipped_store_as_it_is(stores, made_up, tmp_path):
    shipped = tmp_path / "shipped"
    shutil.copytree(made_up, shipped)
    listed = {path: path.stat().st_mtime_ns for path in shipped.rglob("*")}
    stores(shipped=shipped)
    read_figures(find_studies()[0][0])
    assert {path: path.stat().st_mtime_ns for path in shipped.rglob("*")} == listed


def test_a_model_is_the_stores(stores, made_up):
    stores(shipped=made_up)
    (study,), _ = find_studies()
    sha256 = read_files(study, read_figures(study).variants["job"][:1])["sha256"].iloc[0]
    assert read_model(study, sha256) == Store(made_up, readonly=True).model(sha256)


def test_a_missing_model_is_a_sentence(stores, made_up):
    stores(shipped=made_up)
    (study,), _ = find_studies()
    with pytest.raises(StoreError, match="0123456789ab is not in"):
        read_model(study, "0123456789abcdef")
