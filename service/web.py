"""The service's own web server: the duty desk and the routes that platforms push to."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_PATIENCE = 10.0  #: seconds for the server to come up or go down


class PortTaken(Exception):
    """Another program listens where we should; the text says where and what to do."""


@contextmanager
def serving(app: ASGIApp, listen: str) -> Iterator[str]:
    """Serves `app` at host:port in a thread; yields its base URL. Raises PortTaken, OSError."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        listener = socket.create_server(
            (host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(
            f"{listen} 已被别的程序占用：请停掉它，或在设置里改 [console] listen"
        ) from None
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=True,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=2,
            limit_concurrency=200,
            h11_max_incomplete_event_size=32 * 1024,
        )
    )
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])), name="web", daemon=True
    )
    thread.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
        listener.close()
