"""Listen and look: what augmentation does to a recording, and what a network gets of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import address, frame
from dashboard.address import Field
from dashboard.charts import CONFIG, before_after
from dashboard.charts.before_after import SIDES
from dashboard.listening.augmentations import (
    AUGMENTATIONS,
    WHOLE,
    Selection,
    describe_effect,
    describe_outcome,
    steps_of,
)
from dashboard.listening.knobs import Amount, Knob, fit, read_amounts, write_amounts
from dashboard.listening.previewing import LONGEST_SECONDS, previewed
from dashboard.player import draw_player
from dashboard.recordings import SAMPLE_FIELDS, Recording, choose_recording, fields_in_address
from dashboard.theme import ink
from edac_core.errors import EdacError
from edac_core.previews import Preview

MOST_SEED = 9_999
NETWORKS = {"mfcc": "CNN: 302 x 15 MFCC", "mel_image": "CNN-LSTM: 39 x 88 mel picture"}

AUGMENTATION = Field("augmentation", "augmentation")
STEP = Field("step", "step")
FRONTEND = Field("input", "input")
SEED = Field("seed", "seed")
AMOUNTS = Field("amounts", "amounts", write_amounts)
FIELDS = (AUGMENTATION, STEP, FRONTEND, SEED, AMOUNTS)


def main() -> None:
    """Draw the page."""
    frame.begin("pages/listen.py")
    address.arrive((*FIELDS, *SAMPLE_FIELDS))
    draw_change(choose_recording())


@st.fragment
def draw_change(recording: Recording | None) -> None:
    """Draw what changes with the augmentation and its sliders."""
    selection, frontend = pick_augmentation()
    amounts = pick_amounts(selection)
    frame.draw_problems(address.complaints())
    address.write((*FIELDS, *fields_in_address()))
    st.markdown(f":small[{selection.describe()}]")
    if recording is not None:
        draw_recording(recording, selection, amounts, frontend=frontend)


def draw_recording(
    recording: Recording, selection: Selection, amounts: Sequence[Amount], *, frontend: str
) -> None:
    """Draw a recording before and after."""
    try:
        heard = recording.heard()
        before = previewed(heard.waveform, recording.sha256, frontend=frontend)
        change = selection.change(amounts, seed=st.session_state[SEED.key])
        after = previewed(heard.waveform, recording.sha256, frontend=frontend, change=change)
    except EdacError as error:
        frame.draw_problems([str(error)])
        return
    if heard.seconds > LONGEST_SECONDS:
        st.info(f"The recording lasts {heard.seconds:.0f} s; its first {LONGEST_SECONDS} s are "
                "shown here.", icon=":material/content_cut:")  # fmt: skip
    draw_players(before, after)
    draw_charts(before, after)


def pick_augmentation() -> tuple[Selection, str]:
    """Let the viewer choose what is done, and for which network."""
    with st.grid(4, min_column_width=150, vertical_alignment="bottom"):
        augmentation = pick(
            AUGMENTATION, "Augmentation", {name: a.title for name, a in AUGMENTATIONS.items()},
            on_change=start_over,
        )  # fmt: skip
        frontend = pick(FRONTEND, "Network", NETWORKS, on_change=address.touch)
        drawing = st.container(), st.container()
    selection = Selection(augmentation, pick_step(augmentation))
    draw_seed(selection, *drawing)
    return selection, frontend


def pick_step(augmentation: str) -> str:
    """Let the viewer choose one step of an augmentation, where it has several."""
    steps = steps_of(augmentation)
    address.settle(STEP, list(steps), default=WHOLE)
    if len(steps) == 1:
        return WHOLE
    return st.segmented_control(
        "Step", list(steps), default=address.standing(STEP), key=STEP.key, on_change=start_over,
        format_func=steps.__getitem__, required=True,
    )  # fmt: skip


def pick(field: Field, label: str, titles: dict[str, str], *, on_change: Callable[[], None]) -> str:
    """Let the viewer choose one of a few."""
    options = list(titles)
    address.settle(field, options, default=options[0])
    return st.selectbox(
        label, options, address.position(field, options), key=field.key, on_change=on_change,
        format_func=titles.__getitem__,
    )  # fmt: skip


def start_over() -> None:
    """Forget amounts that belong to another augmentation."""
    address.touch()
    st.session_state.pop(AMOUNTS.key, None)


def pick_amounts(selection: Selection) -> tuple[Amount, ...]:
    """Let the viewer set the sliders."""
    default = selection.amounts(seed=st.session_state[SEED.key])
    amounts = address.settle_text(
        AMOUNTS, lambda text: read_amounts(text, selection.knobs),
        default=default, offered="where the sliders here can stand",
    )  # fmt: skip
    if not fit(amounts, selection.knobs):
        amounts = st.session_state[AMOUNTS.key] = default
    with knob_room(selection), st.grid(5, min_column_width=140):
        for knob, amount, key in zip(selection.knobs, amounts, knob_keys(selection), strict=True):
            draw_knob(knob, amount, key=key, selection=selection)
    return amounts


def knob_room(selection: Selection) -> DeltaGenerator:
    """Return where the sliders stand: as many as two pipelines have are folded away."""
    if len(selection.stages) == 1 or not selection.stages:
        return st.container()
    return st.expander("What amounts are drawn from", icon=":material/tune:")


def draw_seed(selection: Selection, left: DeltaGenerator, right: DeltaGenerator) -> None:
    """Draw the seed, and the button that draws anew."""
    address.settle_text(SEED, read_seed, default=1, offered=f"a whole number from 0 to {MOST_SEED}")
    left.number_input(
        "Seed", 0, MOST_SEED, address.standing(SEED), key=SEED.key, disabled=not selection.is_drawn,
        on_change=redraw, args=(selection,), help="The same seed draws the same amounts.",
    )  # fmt: skip
    right.button(
        "Draw anew", icon=":material/casino:", disabled=not selection.is_drawn,
        on_click=redraw, args=(selection,), kwargs={"anew": True},
    )  # fmt: skip


def read_seed(text: str) -> int:
    """Read a seed as it stands in the address."""
    seed = int(text)
    if not 0 <= seed <= MOST_SEED:
        raise ValueError(text)
    return seed


def redraw(selection: Selection, *, anew: bool = False) -> None:
    """Put the slider where the seed draws; one that narrows what is drawn from stays."""
    address.touch()
    if anew:
        st.session_state[SEED.key] = secrets.randbelow(MOST_SEED + 1)
    if selection.alone is not None:
        st.session_state[AMOUNTS.key] = selection.amounts(seed=st.session_state[SEED.key])


def draw_knob(knob: Knob, amount: Amount, *, key: str, selection: Selection) -> None:
    """Draw a slider where the amounts say."""
    st.session_state[key] = amount
    st.slider(
        knob.label, knob.low, knob.high, amount, step=knob.step, format=knob.form, key=key,
        help=knob.help, on_change=take, args=(selection,),
    )  # fmt: skip


def take(selection: Selection) -> None:
    """Note where the sliders stand."""
    address.touch()
    state = st.session_state
    state[AMOUNTS.key] = tuple(state[key] for key in knob_keys(selection))


def knob_keys(selection: Selection) -> list[str]:
    """Return the sliders' keys; each selection has sliders of its own."""
    names = f"{selection.augmentation} {selection.step}"
    return [f"knob {number} of {names}" for number in range(len(selection.knobs))]


def draw_players(before: Preview, after: Preview) -> None:
    """Draw what was done, in words, and both players."""
    st.markdown(
        f"**What was done:** {describe_outcome(before, after)}. {describe_effect(before, after)}"
    )
    for column, side, shown in zip(st.columns(2), SIDES, (before, after), strict=True):
        with column:
            st.markdown(f"**{side}**")
            draw_player(shown.waveform, alt=f"The recording {side.lower()} augmentation")


def draw_charts(before: Preview, after: Preview) -> None:
    """Draw all charts, before beside after."""
    for row in before_after.rows(before, after, ink=ink()):
        for column, side, figure in zip(st.columns(2), SIDES, row.figures, strict=True):
            column.plotly_chart(
                figure, height=row.height, key=f"{row.name} {side}", config=CONFIG,
                alt=f"{side} augmentation: {row.question}",
            )  # fmt: skip
    st.markdown(f":small[{before_after.explain_input(before)}]")


main()
