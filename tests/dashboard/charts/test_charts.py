import pytest

from dashboard.charts import size_axis


@pytest.mark.parametrize(
    ("sizes", "steps"), [((318e3, 414e3), (1,)), ((39e3, 22.7e6), (1,)), ((), (1,)), ((0,), (1,))]
)
def test_a_size_axis_always_has_a_mark_to_read_by(sizes, steps):
    known = [size for size in sizes if size > 0] or [1e6]
    values = size_axis(sizes, title="Size", steps=steps)["values"]
    assert min(values) <= min(known)
    assert max(values) >= max(known)
    assert len(values) >= 3


def test_a_wide_range_keeps_to_the_steps_it_was_given():
    assert size_axis([39e3, 22.7e6], title="Size", steps=(1,))["values"] == [
        10**4, 10**5, 10**6, 10**7, 10**8
    ]  # fmt: skip
