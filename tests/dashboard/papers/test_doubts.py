import pytest

from dashboard.papers.doubts import int8_alone, levels_going_on, speed_of_int8


def plain(text):
    return text.replace("\\", "")


def test_int8_alone_is_told_with_both_figures(shown):
    text = plain(int8_alone(shown))
    summary = shown[0].summary.query("model == 'cnn' and precision == 'int8'")
    alone = summary.query("sparsity == 0")["zip_ratio"].item()
    both = summary.query("sparsity == 0.95 and method == 'polynomial'")["zip_ratio"].item()
    assert "EDAC's 105.76x is 60.0x by int8 alone" in text
    assert f"Here it is {alone:.1f}x by int8 alone, and {both:.1f}x with 95 %" in text
    assert "| int8, 95 % pruned | 215 kB, 105.8x, AUC 0.868 |" in text


def test_speed_is_told_with_and_without_pruning(shown):
    text = plain(speed_of_int8(shown))
    assert "| float32 | 1.00x | 1.00x |" in text
    assert "| float32, 95 % pruned | 0.98x |" in text
    assert "| int8, 95 % pruned | 1.37x |" in text


@pytest.mark.parametrize("tell", [int8_alone, speed_of_int8])
def test_without_a_study_a_plan_is_named_and_nothing_is_made_up(tell):
    text = tell([])
    assert "Not measured here yet: `edac run plans/" in text
    assert "| --- |" not in text


def test_levels_that_go_on_are_compared_where_both_are_here(shown, varied):
    ours, theirs = varied(shown[0]), varied(shown[0], start="previous", auc=0.123)
    text = plain(levels_going_on([ours, theirs]))
    assert "130 epochs" in text
    baseline = ours.summary.query(
        "model == 'cnn' and method == 'polynomial' and sparsity == 0.95 and precision=='float32'"
    )["auc"].item()
    assert f"| polynomial, 95 % | 0.123 | {baseline:.3f} |" in text
    elsewhere = varied(shown[0], start="previous", dataset="coswara")
    assert "not measured here yet" in levels_going_on([ours, elsewhere])
