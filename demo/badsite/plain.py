"""The honest answers, and the ways to have none; other rows fall back on them."""

from __future__ import annotations

import asyncio

from demo.badsite.calls import ROWS, Call, page, row


@row("private", "article")
async def article(call: Call) -> None:
    await call.answer(page("一篇好文章", "一切正常的正文，供对照之用。"))


@row("")
async def _index(call: Call) -> None:
    links = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in sorted(ROWS) if name)
    await call.answer(f"<!DOCTYPE html><meta charset=utf-8><title>bad</title><ul>{links}</ul>")


@row("404")
async def nothing(call: Call) -> None:
    await call.answer("<h1>404 Not Found</h1>", status="404 Not Found")


@row("410")
async def _gone(call: Call) -> None:
    await call.answer("<h1>410 Gone</h1>", status="410 Gone")


@row("500")
async def _broken(call: Call) -> None:
    await call.answer("<h1>Internal Error</h1>", status="500 Internal Server Error")


@row("silent")
async def silence(call: Call) -> None:
    await asyncio.sleep(3600)
