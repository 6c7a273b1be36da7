"""Servers in threads of their own: start, learn the port, stop cleanly."""

from __future__ import annotations

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn
from starlette.types import ASGIApp

T = TypeVar("T")
_PATIENCE = 10.0  #: seconds to wait for a server to come up or go down


@contextmanager
def serve(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Runs an app under uvicorn in a thread; yields its base URL, without a slash at the end.

    Port 0 takes a free one. Raises OSError where the port is taken.
    """
    # Without the protocol number asyncio leaves Nagle on, and every answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    settings = uvicorn.Config(
        app,
        log_config=None,  # the service configures logging; uvicorn must not
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(settings)
    ready = threading.Event()

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        ready.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="demo-web", daemon=True)
    thread.start()
    try:
        if not ready.wait(_PATIENCE) or not server.started:
            raise RuntimeError("the web server did not come up")
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
        listener.close()


class LoopThread:
    """One event loop in one thread, for servers that speak raw sockets."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._loop is not None:
            raise RuntimeError(f"{self._name} already runs")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
        self._thread.start()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError(f"{self._name} does not run")
        return self._loop

    def call(self, work: Coroutine[Any, Any, T], patience: float = _PATIENCE) -> T:
        """Runs a coroutine on the loop and hands back its answer."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(patience)

    def stop(self, *servers: asyncio.Server | None) -> None:
        """Closes the servers, cancels what still runs, ends the loop; harmless when not started."""
        if self._loop is None or self._thread is None:
            return
        self.call(_wind_up(servers))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()
        self._loop = self._thread = None


class Started(ABC):
    """A server that is started where a `with` block begins, and stopped where it ends."""

    __slots__ = ()

    @abstractmethod
    def start(self) -> Self: ...

    @abstractmethod
    def stop(self) -> None: ...

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


async def _wind_up(servers: Iterable[asyncio.Server | None]) -> None:
    for server in servers:
        if server is not None:
            server.close()
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.sleep(0)  # transports close one turn after they were told to
