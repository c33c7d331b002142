"""Runs of studies on the page: what one is doing, how far it is, and what can be done about it."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import format as write
from dashboard import frame
from dashboard.studies import Study
from edac_core.errors import EdacError, StoreError
from edac_core.locations import local_cache, read_only
from edac_core.studies import launch
from edac_core.studies.journal import PLAN_FILE, run_folder
from edac_core.studies.plan import Plan
from edac_core.studies.watch import Happening, Run, UnderWay, find_runs, read_log, read_run

POLL_SECONDS = 1.0
SHOWN = "run_shown"
_PROBLEM = "_run_problem"
_LOG_HEIGHT, _UNDER_WAY_HEIGHT = 260, 110
_MOST_HAPPENINGS, _MOST_FAILURES = 200, 20

_BADGES = {
    "starting": ":blue-badge[:material/hourglass_top: Starting]",
    "preparing": ":blue-badge[:material/hourglass_top: Preparing]",
    "running": ":blue-badge[:material/play_arrow: Running]",
    "measuring": ":blue-badge[:material/timer: Measuring latency]",
    "stopping": ":orange-badge[:material/stop: Stopping]",
    "stopped": ":orange-badge[:material/stop: Stopped]",
    "done": ":green-badge[:material/check: Done]",
    "refused": ":red-badge[:material/error: Could not run]",
    "broken": ":red-badge[:material/error: Failed]",
    "died": ":red-badge[:material/error: Ended without finishing]",
}
_AGAIN = {"done": "Try failed jobs again", "refused": "Try again"}
_PARTLY = ":orange-badge[:material/warning: Done, with failures]"


def runs_here() -> list[Run]:
    """Return the last run of every study of this machine, those under way first."""
    return find_runs(local_cache())


def pick_run(runs: Sequence[Run]) -> Run:
    """Let the viewer choose a run, if there are several; what is under way is shown first."""
    by_name = {run.name: run for run in runs}
    if st.session_state.get(SHOWN) not in by_name:
        st.session_state[SHOWN] = runs[0].name
    if len(runs) == 1:
        return runs[0]
    name = st.selectbox(
        "Run", list(by_name), key=SHOWN, format_func=lambda name: _named(by_name[name])
    )
    return by_name[name]


def draw_run(run: Run, studies: Sequence[Study]) -> None:
    """Draw a run; while it is under way, anew every second, by itself."""
    every = POLL_SECONDS if run.active else None
    st.fragment(_draw_latest, run_every=every)(run.name, studies, was_active=run.active)


def draw_problem() -> None:
    """Say why the last thing that was asked could not be done."""
    if problem := st.session_state.pop(_PROBLEM, None):
        frame.draw_problems([problem])


def begin_run(planned: Callable[[], Plan]) -> None:
    """Start a run of the plan of this moment, or watch the one that somebody started.

    Use as `on_click`. A button keeps what it was drawn with, and may be clicked before the page has
    been drawn after the last change of a field; so the plan is asked for here.
    """
    with _noting_problems():
        plan = planned()
        try:
            launch.start(plan, cache=local_cache())
        except StoreError:
            if not launch.is_under_way(plan, cache=local_cache()):
                raise
        st.session_state[SHOWN] = plan.name


def who_runs(run: Run) -> str:
    """Say which process a run that is under way is, and on which machine."""
    return f"It is process {run.process} on {run.where}."


def describe(run: Run) -> str:
    """Say in a sentence how far a run is, or how it ended."""
    if run.phase == "died" and not run.began:
        return _NEVER_BEGAN.format(again="." if read_only() else "; resume to try again.")
    return _DESCRIPTIONS[run.phase].format(
        run=run,
        jobs=f"{run.jobs_done} of {run.jobs} jobs",
        recordings=f": {run.done} of {run.total} recordings" if run.total else "",
        left=_left(run),
        at=f" at {run.jobs_done} of {run.jobs} jobs" if run.jobs else "",
        computed="" if run.computed == run.jobs_done else f", {run.computed} of them in this run",
        failed=f"; {len(run.failures)} failed" if run.failures else "",
        again="" if read_only() else "; resume to do the rest",
    )


_DESCRIPTIONS = {
    "starting": "The libraries are being loaded.",
    "preparing": "Preparing: {run.step}{recordings}.",
    "running": "{jobs} finished, {left}.",
    "measuring": "{jobs} finished. {run.done} of {run.total} variants are timed, one by one.",
    "stopping": "Processes are being ended; finished jobs are kept.",
    "stopped": "Stopped{at}. Finished jobs are kept{again}.",
    "done": "{jobs} are finished{computed}{failed}.",
    "refused": "{run.step}",
    "broken": "It ended by an error that is not foreseen{at}: {run.step}. Finished jobs are kept.",
    "died": "Its process is gone{at}: it was killed, ran out of memory, or the machine was "
    "restarted. Finished jobs are kept{again}.",
}

_NEVER_BEGAN = (
    "Its process ended before its first step. What the libraries wrote, below, may say why{again}"
)


def _draw_latest(name: str, studies: Sequence[Study], *, was_active: bool) -> None:
    run = read_run(run_folder(local_cache(), name))
    if run.active != was_active:
        # What stands around it (the form's button, the polling) has to change too.
        st.rerun()
    with st.container(border=True, key="run"):
        _draw_heading(run)
        _draw_bars(run)
        _draw_buttons(run, studies)
        _draw_failures(run)
        _draw_log(run)


def _draw_heading(run: Run) -> None:
    failed = run.phase == "done" and run.failures
    badge = _PARTLY if failed else _BADGES[run.phase]
    title = write.literally(_title(run.name))
    when = f" :small[began {_clock(run.began)}]" if run.began else ""
    st.markdown(f"**{title}** {badge}{when}")
    st.markdown(write.literally(describe(run)))


def _draw_bars(run: Run) -> None:
    if run.phase in {"refused", "died", "broken"} and not run.jobs:
        return
    st.progress(_share(run), text=None)
    if run.phase == "running":
        with st.container(height=_UNDER_WAY_HEIGHT, border=False, key="under_way"):
            for job in run.under_way:
                st.progress(job.epoch / job.epochs, text=f":small[{write.literally(_words(job))}]")
            if not run.under_way:
                st.markdown(":small[The workers are starting.]")


def _draw_buttons(run: Run, studies: Sequence[Study]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if read_only():
            pass  # Visitors may look; the core refuses them the rest.
        elif run.active:
            st.button(
                "Stop", icon=":material/stop:", key="stop", on_click=_stop, args=(run.name,),
                disabled=run.phase == "stopping",
                help="Ends its processes within seconds. Finished jobs are kept.",
            )  # fmt: skip
        elif run.phase != "done" or run.failures:
            st.button(
                _AGAIN.get(run.phase, "Resume"), icon=":material/play_arrow:", key="resume",
                on_click=_resume, args=(run.name,), help="Goes on with what is missing.",
            )  # fmt: skip
        study = _study_of(run, studies)
        if run.jobs_done and study:
            st.page_link(
                "app.py", label="Open in Trade-offs", icon=":material/scatter_plot:",
                query_params={"study": study.identifier},
            )  # fmt: skip


def _draw_failures(run: Run) -> None:
    if not run.failures:
        return
    shown = [f"{job}: {reason}" for job, reason in run.failures[:_MOST_FAILURES]]
    if more := len(run.failures) - len(shown):
        shown.append(f"And {more} more.")
    frame.draw_problems(shown)


def _draw_log(run: Run) -> None:
    with st.expander("What happened", key="happenings"):
        lines = [_line(happening) for happening in run.happenings[-_MOST_HAPPENINGS:]]
        st.code("\n".join(reversed(lines)) or "Nothing yet.", language=None, height=_LOG_HEIGHT)
        if log := read_log(run_folder(local_cache(), run.name)).strip():
            st.markdown(":small[What the libraries wrote, the last of it]")
            st.code(log, language=None, height=_LOG_HEIGHT)


def _stop(name: str) -> None:
    with _noting_problems():
        launch.stop(name, cache=local_cache(), wait=False)


def _resume(name: str) -> None:
    with _noting_problems():
        try:
            launch.resume(name, cache=local_cache())
        except StoreError:
            # Somebody else has resumed it.
            if not read_run(run_folder(local_cache(), name)).active:
                raise


@contextlib.contextmanager
def _noting_problems() -> Iterator[None]:
    try:
        yield
    except EdacError as error:
        st.session_state[_PROBLEM] = str(error)


def _left(run: Run) -> str:
    if run.seconds_left is None:
        return "time left not known before the first of each kind is done"
    return f"{write.roughly(run.seconds_left)} left"


def _share(run: Run) -> float:
    if run.phase in {"preparing", "measuring"}:
        return min(1.0, run.done / run.total) if run.total else 0.0
    begun = sum(job.epoch / job.epochs for job in run.under_way)
    return min(1.0, (run.jobs_done + begun) / run.jobs) if run.jobs else 0.0


def _named(run: Run) -> str:
    badge = _PARTLY if run.phase == "done" and run.failures else _BADGES[run.phase]
    return f"{run.name}: {badge.partition(': ')[2].rstrip(']').lower()}"


def _title(name: str) -> str:
    """Return the title in a run's plan; its name if the plan cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        text = (run_folder(local_cache(), name) / PLAN_FILE).read_text("utf-8")
        return str(tomllib.loads(text).get("title") or name)
    return name


def _words(job: UnderWay) -> str:
    if job.epoch == 0:
        return f"{job.job}: first epoch of at most {job.epochs}"
    if job.epoch >= job.epochs:
        return f"{job.job}: trained, being converted and measured"
    return f"{job.job}: epoch {job.epoch} of at most {job.epochs}"


def _study_of(run: Run, studies: Sequence[Study]) -> Study | None:
    here = str(local_cache())
    found = [study for study in studies if (study.shelf.folder, study.name) == (here, run.name)]
    return found[0] if found else None


def _line(happening: Happening) -> str:
    return f"{_clock(happening.at)}  {happening.sentence}"


def _clock(at: float) -> str:
    """Write a time of day where the viewer is, with the date unless it is today."""
    zone = _zone()
    then, now = datetime.fromtimestamp(at, zone), datetime.now(zone)
    return then.strftime("%H:%M:%S" if then.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def _zone() -> tzinfo:
    with contextlib.suppress(KeyError, ValueError, OSError):
        return ZoneInfo(st.context.timezone or "UTC")
    return UTC
