"""The page that one would write first: each move of its slider loads a file and scores with it.

`streamlit run` starts it; the folder that NAIVE_PAGE_FOLDER names has the files and the test set.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import plotly.express as px
import streamlit as st
from sklearn.metrics import roc_auc_score, roc_curve

from benchmarks.scoring import one_at_a_time
from edac_core.measure.size import size_of

FOLDER = "NAIVE_PAGE_FOLDER"
TEST_SET = "test.npz"


def draw(folder: Path) -> None:
    """Draw the page anew, as Streamlit does after every move."""
    levels = {float(path.stem): path for path in folder.glob("*.tflite")}
    st.title("Pruned CNN")
    level = st.select_slider("Sparsity", sorted(levels), value=max(levels))
    model = levels[level].read_bytes()
    with np.load(folder / TEST_SET) as arrays:
        features, labels = arrays["features"], arrays["labels"]
    scores = one_at_a_time(model)(features)
    size = size_of(model)
    st.metric("AUC", f"{roc_auc_score(labels, scores):.3f}")
    st.metric("Weights left", f"{size.nonzero_weights:,}")
    st.metric("Zipped", f"{len(zlib.compress(model)) / 1e3:.0f} kB")
    false_positives, true_positives, _ = roc_curve(labels, scores)
    st.plotly_chart(px.line(x=false_positives, y=true_positives))
    st.dataframe({"score": scores, "label": labels})


if __name__ == "__main__":
    draw(Path(os.environ[FOLDER]))
