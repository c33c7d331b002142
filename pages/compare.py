"""Compare on a cough: what the variants say of one recording."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import address, frame
from dashboard import format as write
from dashboard.charts import CONFIG, inputs, signal
from dashboard.charts import drift as drifting
from dashboard.charts import verdicts as chart_of
from dashboard.charts.drift import Drift
from dashboard.choices import MODEL, RUN, STUDY, Network
from dashboard.comparing import contestants as choosing
from dashboard.comparing import verdicts as asking
from dashboard.comparing.contestants import COMPARED
from dashboard.comparing.verdicts import Question
from dashboard.pickers import pick_network, pick_study, studies_here
from dashboard.player import draw_player
from dashboard.recordings import (
    SAMPLE_FIELDS,
    Recording,
    choose_recording,
    fields_in_address,
)
from dashboard.theme import ink
from dashboard.worth import draw_worth
from edac_core.audio import SAMPLE_RATE
from edac_core.disturb import DISTURBANCES, Disturbance
from edac_core.errors import EdacError
from edac_core.listening import Heard
from edac_core.previews import PICTURED
from edac_core.verdicts import Hearing

FIELDS = (STUDY, MODEL, RUN, COMPARED)
WAVE_HEIGHT, INPUT_HEIGHT, DRIFT_HEIGHT = 170, 230, 380
QUIETEST_PEAK, AIR = 1e-3, 1.05
WARNING = (
    ":orange-badge[:material/science: Research, not a diagnosis] An answer says what a cough is "
    "more like: the recordings of **{title}** that are labelled positive, or those labelled "
    "negative. On coughs from anywhere else, such as yours, nobody has measured what it is worth, "
    "and it is likely less than there:"
)
FAULTLESS = "Nothing wrong found: neither silent nor short, clipped, narrow-band or mostly noise."
COLUMNS = {
    "title": st.column_config.TextColumn("Variant", width=160),
    "decision": st.column_config.TextColumn("Decision", width=75),
    "probability": st.column_config.NumberColumn(
        "Probability", format="%.3f", width=85, help="Of the positive class"
    ),
    "threshold": st.column_config.NumberColumn(
        "Threshold", format="%.3f", width=80,
        help="Its own operating point: where sensitivity plus specificity is best on the "
        "validation recordings (Youden)",
    ),
    "difference": st.column_config.NumberColumn(
        "Difference", format="%+.3f", width=82, help="From the probability of the float32 baseline"
    ),
    "latency_ms": st.column_config.NumberColumn(
        "Latency (ms)", format="%.2f", width=92,
        help="Measured here and now: median of a few calls on this recording, one thread, in "
        "turns with the others, without the features",
    ),
}  # fmt: skip


def main() -> None:
    """Draw the page."""
    frame.begin("pages/compare.py")
    studies = studies_here()
    if not studies:
        return
    address.arrive((*FIELDS, *SAMPLE_FIELDS))
    above = st.container()
    with st.grid(3, min_column_width=180, key="pickers"):
        study = pick_study(studies)
        network = pick_network(study)
        run = pick_run(network) if network is not None else None
    if network is None or run is None:
        with above:
            frame.draw_problems(address.complaints())
        return
    frame.draw_study_facts(study, network.model)
    draw_run(network, run, above=above)


def pick_run(network: Network) -> str | None:
    """Let the viewer choose a run; None, and why, if none has files here."""
    try:
        numbers = choosing.runs_here(network)
    except EdacError as error:
        frame.draw_problems([str(error)])
        return None
    if not numbers:
        frame.draw_problems([
            f"No model file of {network.study.title_of(network.model)} is in the store of the "
            f"study “{network.study.title}”; run its plan to make them, or choose another model."
        ])  # fmt: skip
        return None
    return choosing.pick_run(network, numbers)


def draw_run(network: Network, run: str, *, above: Any) -> None:
    """Draw what there is to choose of a run, and what comes of it."""
    try:
        offered = choosing.contestants_of(network, run)
        frontend = choosing.frontend_of(network)
        sets = choosing.sets_of(network, run)
    except EdacError as error:
        frame.draw_problems([str(error)])
        return
    chosen = choosing.pick_contestants(network, offered)
    asked = choosing.with_baseline(chosen, offered)
    asking.warm(frontend, asked)
    draw_warning(network)
    recording = choose_recording(sets)
    address.write((*FIELDS, *fields_in_address()))
    with above:
        frame.draw_problems(address.complaints())
    heard = listen_to(recording)
    if recording is not None and heard is not None:
        question = Question(heard.waveform, recording.sha256, frontend, chosen, asked)
        origin = choosing.describe_origin(recording, sets, run=run)
        draw_recording(recording, heard, question, origin=origin)


def listen_to(recording: Recording | None) -> Heard | None:
    """Decode a recording; None, and why, if it cannot be."""
    try:
        return None if recording is None else recording.heard()
    except EdacError as error:
        frame.draw_problems([str(error)])
        return None


def draw_warning(network: Network) -> None:
    """Say plainly what an answer means and what it is worth."""
    title = write.literally(str(network.study.data.get("title", "their study")))
    with st.container(gap="xxsmall"):
        st.markdown(WARNING.format(title=title))
        draw_worth(network.study, choosing.baseline_groups(network))


def draw_recording(recording: Recording, heard: Heard, question: Question, *, origin: str) -> None:
    """Draw a recording, beside it what the variants say, and below how their answers drift."""
    left, right = st.columns([5, 7], gap="medium")
    with left:
        draw_sound(recording, heard, origin=origin)
    if not heard.quality.usable:
        right.info("There is nothing here for a network to judge.", icon=":material/hearing:")
        return
    with right:
        hearing = ask(question)
    if hearing is None:
        return
    answered = asking.answers(question, hearing).query("problem == ''")
    shown = answered[answered["chosen"]]
    with right:
        draw_answers(shown)
    with left:
        draw_input(question, hearing)
    if not shown.empty:
        st.divider()
        draw_drift(question, answered)


def ask(question: Question) -> Hearing | None:
    """Ask the variants; say which cannot be asked, and why. None if none can."""
    try:
        hearing = asking.ask(question)
    except EdacError as error:
        frame.draw_problems([str(error)])
        return None
    frame.draw_problems(
        f"{contestant.title}: {verdict.problem}"
        for contestant, verdict in zip(question.asked, hearing.verdicts, strict=True)
        if verdict.problem
    )
    if not question.chosen:
        st.info("Choose some variants above to ask them.", icon=":material/checklist:")
    return hearing


def draw_sound(recording: Recording, heard: Heard, *, origin: str) -> None:
    """Draw the player, what is wrong with the recording, and its waveform if it has one."""
    st.markdown(f"**{write.literally(recording.name)}**  \n{origin}")
    draw_player(heard.waveform, alt=f"The recording {recording.name}")
    draw_quality(heard)
    if heard.quality.usable:
        draw_waveform(heard)


def draw_waveform(heard: Heard) -> None:
    """Draw how loud it is, and when."""
    peak = max(float(abs(heard.waveform).max()), QUIETEST_PEAK) * AIR
    wave = signal.envelope(heard.waveform, sample_rate=SAMPLE_RATE)
    st.plotly_chart(
        signal.draw_envelope(
            wave, title="When is it loud?", seconds=heard.seconds, peak=peak, ink=ink()
        ),
        height=WAVE_HEIGHT, key="waveform", config=CONFIG, alt="The waveform of the recording",
    )  # fmt: skip


def draw_quality(heard: Heard) -> None:
    """Say what is wrong with a recording, and how it was stored."""
    facts = heard.quality.facts
    channels = "mono" if heard.channels == 1 else f"{heard.channels} channels"
    stored = f"{heard.seconds:.2f} s, {channels}, stored at {heard.stored_sample_rate:,} Hz"
    if heard.quality.usable:
        stored += f"; 99 % of its energy below {facts.bandwidth_hz:,.0f} Hz"
    lines = [
        f":orange-badge[{finding.kind.capitalize()}] {write.literally(finding.sentence)}"
        for finding in heard.quality.findings
    ] or [f":green-badge[Quality] {FAULTLESS}"]
    st.markdown("\n\n".join([*lines, f":small[{stored}.]"]))


def draw_answers(answered: pd.DataFrame) -> None:
    """Draw the answers as a sentence, a chart and a table."""
    if answered.empty:
        return
    st.markdown(asking.describe_answers(answered))
    chart = chart_of.verdicts(answered)
    st.plotly_chart(
        chart_of.draw_verdicts(chart, ink=ink()), height=chart.height, key="verdicts",
        config=CONFIG, alt="Each variant's probability beside its threshold",
    )  # fmt: skip
    shown = answered.assign(
        decision=answered["positive"].map({True: "positive", False: "negative"}),
        # Adding zero leaves no negative zero; the baseline does not differ from itself.
        difference=answered["difference"].round(3).mask(answered["is_baseline"]) + 0.0,
    )
    st.dataframe(
        shown[list(COLUMNS)], hide_index=True, key="answers", column_config={**COLUMNS},
        placeholder="\N{EN DASH}", alt="What each variant says of the recording",
    )  # fmt: skip


def draw_input(question: Question, hearing: Hearing) -> None:
    """Draw what the network gets."""
    try:
        if question.frontend in PICTURED:
            figure = inputs.draw_pictured(asking.pictured(question), ink=ink())
        else:
            figure = inputs.draw_functionals(hearing.features, ink=ink())
    except EdacError as error:
        frame.draw_problems([str(error)])
        return
    st.plotly_chart(
        figure, height=INPUT_HEIGHT, key="input", config=CONFIG,
        alt="What the network gets of the recording",
    )  # fmt: skip


@st.fragment
def draw_drift(question: Question, answered: pd.DataFrame) -> None:
    """Draw all that changes with the disturbance and its strength."""
    left, right = st.columns([5, 7], gap="medium")
    with left:
        disturbance, strength = pick_disturbance()
    try:
        chart, figure = _drift(question, question.key, answered, disturbance.name, ink())
        wave = asking.disturbed(question, disturbance.name, strength)
    except EdacError as error:
        frame.draw_problems([str(error)])
        return
    with left:
        draw_player(wave, alt=f"The recording, {drifting.write_strength(disturbance, strength)}")
        st.markdown(drifting.describe_drift(chart, strength))
    right.plotly_chart(
        drifting.mark_strength(figure, chart, strength), height=DRIFT_HEIGHT, key="drift",
        config=CONFIG, alt=drifting.WORDS[disturbance.name].question,
    )  # fmt: skip


def pick_disturbance() -> tuple[Disturbance, float]:
    """Let the viewer choose what happens to the recording, and how much of it."""
    kind = st.segmented_control(
        "Disturb it", list(DISTURBANCES), key="disturbance", default="noise", required=True,
        format_func=lambda name: drifting.WORDS[name].title,
    )  # fmt: skip
    disturbance = DISTURBANCES[kind]
    strength = st.select_slider(
        drifting.WORDS[kind].axis, disturbance.strengths, value=disturbance.untouched,
        key=f"strength {kind}",
        format_func=lambda value: drifting.write_strength(disturbance, value),
    )  # fmt: skip
    return disturbance, strength


# Shared by all sessions and never changed, so that moving the slider draws no line anew.
@st.cache_resource(max_entries=64, show_spinner=False)
def _drift(
    _question: Question,
    key: object,  # noqa: ARG001 - for the cache
    answered: pd.DataFrame,
    disturbance: str,
    ink: str | None,
) -> tuple[Drift, dict[str, Any]]:
    scores = asking.drifted(_question, disturbance)
    chart = drifting.drift(answered, scores[answered.index], disturbance=disturbance)
    return chart, drifting.draw_drift(chart, ink=ink).to_plotly_json()


main()
