"""The address against widgets that are touched at bad moments."""

import shown
from streamlit.testing.v1 import AppTest


def page_cut_short():
    """Draw two widgets; the run is cut short between them where the state says so."""
    import streamlit as st  # noqa: PLC0415 - AppTest runs the body alone

    from dashboard import address  # noqa: PLC0415
    from dashboard.address import Field  # noqa: PLC0415

    source, change = Field("source", "source"), Field("change", "change")
    address.arrive((source, change))
    address.settle(source, ["sample", "upload"], default="sample")
    st.radio("Source", ["sample", "upload"], key="source", on_change=address.touch)
    if st.session_state.pop("cut", False):
        st.stop()
    address.settle(change, ["slower", "lower"], default="slower")
    st.radio("Change", ["slower", "lower"], key="change", on_change=address.touch)
    address.write((source, change))


def arrived(**asked):
    app = AppTest.from_function(page_cut_short)
    app.session_state["cut"] = True
    for key, text in asked.items():
        app.query_params[key] = text
    return app.run()


def test_a_link_is_followed_though_a_widget_was_touched_before_all_was_drawn():
    app = arrived(change="lower")
    app.radio("source").set_value("upload").run()
    assert (app.radio("source").value, app.radio("change").value) == ("upload", "lower")
    assert shown.address(app)["change"] == "lower"


def test_what_was_touched_wins_over_the_link():
    app = arrived(source="upload", change="lower")
    assert app.radio("source").value == "upload"
    app.radio("source").set_value("sample").run()
    assert (app.radio("source").value, app.radio("change").value) == ("sample", "lower")


def test_a_link_is_followed_once():
    app = arrived(change="lower").run()
    app.radio("change").set_value("slower").run()
    app.radio("source").set_value("upload").run()
    assert app.radio("change").value == "slower"
