"""Visitors of the dashboard without a browser: its own messages, over HTTP and WebSocket.

A browser takes more of the machine than the server that it visits; fifty of them say nothing about
the server. A visitor speaks what Streamlit's page speaks: it sends what a widget was set to, and
waits until the script has run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

_XSRF_COOKIE = "_streamlit_xsrf"
_LARGEST_MESSAGE = 2**28
_PATIENCE_SECONDS = 180
_FINISHED = {
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
}


@dataclass(frozen=True)
class Widget:
    """A widget as the page last drew it, and the fragment that runs when it is moved."""

    proto: Any
    fragment: str


@dataclass
class Visitor:
    """A session of the dashboard, as one browser tab has it.

    Parameters
    ----------
    url
        Address of the server.
    path
        Name of the page after the address, such as ``"compare?study=cnn"``; empty for the first.

    Attributes
    ----------
    errors
        What the page showed as an exception, and scripts that did not compile.
    texts
        Markdown of the last run of the script.
    query
        What the page put behind its address.
    """

    url: str
    path: str = ""
    errors: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    query: str = ""
    _widgets: dict[tuple[str, str], Widget] = field(default_factory=dict)
    _values: dict[str, WidgetState] = field(default_factory=dict)
    _repeated: dict[str, float] = field(default_factory=dict)
    _connection: ClientConnection | None = None
    _session = _xsrf = _script = ""

    async def __aenter__(self) -> Self:
        """Connect, and run the page once."""
        self._xsrf = await asyncio.to_thread(_xsrf_token, self.url)
        self._connection = await connect(
            self.url.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=["streamlit", self._xsrf],  # type: ignore[list-item] # as the page does
            additional_headers={"Cookie": f"{_XSRF_COOKIE}={self._xsrf}", "Origin": self.url},
            max_size=_LARGEST_MESSAGE,
            ping_interval=None,
        )
        try:
            await self.run()
        except BaseException:
            # Who never came in does not leave either.
            await self._connection.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave, as by closing the tab."""
        await self._connected.close()

    async def run(self, *, fragment: str = "", repeated: bool = False) -> float:
        """Have the script run, whole or a fragment of it, and return the seconds it took."""
        name, _, query = self.path.partition("?")
        state = BackMsg().rerun_script
        state.page_name, state.query_string = "" if self._script else name, query
        state.page_script_hash, state.fragment_id = self._script, fragment
        state.is_auto_rerun = repeated
        state.widget_states.widgets.extend(self._values.values())
        begun = time.perf_counter()
        await self._send(rerun_script=state)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._read_until_finished(fragment)
        return time.perf_counter() - begun

    def widget(self, kind: str, label: str) -> Widget:
        """Return the widget of a kind, such as ``"slider"``, by its label."""
        return self._widgets[kind, label]

    async def slide(self, label: str, position: int) -> float:
        """Move a slider to one of its positions, counted from 0; return the seconds it took."""
        widget = self.widget("slider", label)
        options = list(widget.proto.options)
        return await self._choose(widget, options[position % len(options)])

    async def choose(self, label: str, option: str) -> float:
        """Choose one of a group of buttons; return the seconds it took."""
        return await self._choose(self.widget("button_group", label), option)

    async def upload(self, label: str, name: str, data: bytes) -> float:
        """Hand in a file and return the seconds until the page has settled."""
        begun = time.perf_counter()
        widget = self.widget("file_uploader", label)
        place = await self._place_for(name)
        await asyncio.to_thread(self._put, place.upload_url, data)
        state = WidgetState(id=widget.proto.id)
        info = state.file_uploader_state_value.uploaded_file_info.add()
        info.name, info.size, info.file_id = name, len(data), place.file_id
        info.file_urls.CopyFrom(place)
        await self._set(state, widget.fragment)
        await self.settle()
        return time.perf_counter() - begun

    async def settle(self) -> None:
        """Run what the page asked to be run again and again until it asks no more."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while self._repeated:
                fragment, interval = next(iter(self._repeated.items()))
                await asyncio.sleep(interval)
                await self.run(fragment=fragment, repeated=True)

    async def _choose(self, widget: Widget, option: str) -> float:
        state = WidgetState(id=widget.proto.id)
        state.string_array_value.data.append(option)
        return await self._set(state, widget.fragment)

    async def _set(self, state: WidgetState, fragment: str) -> float:
        self._values[state.id] = state
        return await self.run(fragment=fragment)

    async def _place_for(self, name: str) -> Any:
        request = BackMsg().file_urls_request
        request.request_id, request.session_id = name, self._session
        request.file_names.append(name)
        await self._send(file_urls_request=request)
        async for message in self._messages():
            if message.WhichOneof("type") == "file_urls_response":
                return message.file_urls_response.file_urls[0]
        raise ConnectionError("The server closed the connection.")

    def _put(self, path: str, data: bytes) -> None:
        requests.put(
            self.url + path, files={"file": data}, cookies={_XSRF_COOKIE: self._xsrf},
            headers={"X-Xsrftoken": self._xsrf}, timeout=_PATIENCE_SECONDS,
        ).raise_for_status()  # fmt: skip

    @property
    def _connected(self) -> ClientConnection:
        if self._connection is None:
            raise ConnectionError("The visitor has not come in; use it in `async with`.")
        return self._connection

    async def _send(self, **content: Any) -> None:
        await self._connected.send(BackMsg(**content).SerializeToString())

    async def _messages(self) -> AsyncIterator[ForwardMsg]:
        async for data in self._connected:
            message = ForwardMsg()
            message.ParseFromString(data)
            yield message

    async def _read_until_finished(self, fragment: str) -> None:
        if not fragment:
            self._widgets, self.texts, self._repeated = {}, [], {}
        async for message in self._messages():
            self._take(message)
            if message.WhichOneof("type") == "script_finished" and (
                message.script_finished in _FINISHED
            ):
                return
        raise ConnectionError("The server closed the connection.")

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._session = message.new_session.initialize.session_id or self._session
        elif kind == "navigation":
            self._script = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self._repeated[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            self._repeated.pop(message.stop_auto_rerun.fragment_id, None)
        elif kind == "script_finished" and (
            message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR
        ):
            self.errors.append("The script does not compile.")
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._draw(message.delta.new_element, message.delta.fragment_id)

    def _draw(self, element: Any, fragment: str) -> None:
        kind = element.WhichOneof("type")
        proto = getattr(element, kind)
        if kind == "exception":
            self.errors.append(proto.message)
        elif kind == "markdown":
            self.texts.append(proto.body)
        elif hasattr(proto, "id") and hasattr(proto, "label"):
            self._widgets[kind, proto.label] = Widget(proto, fragment)


def _xsrf_token(url: str) -> str:
    answer = requests.get(f"{url}/_stcore/health", timeout=_PATIENCE_SECONDS)
    return str(answer.cookies[_XSRF_COOKIE])
