"""Redirects: in circles, in chains, to elsewhere, to nowhere."""

from __future__ import annotations

from demo.badsite.calls import Call, row
from demo.badsite.plain import article

HOPS = 30


@row("redirect-loop")
async def _redirect_loop(call: Call) -> None:
    await call.redirect("/redirect-loop")


@row("redirect-chain")
async def _redirect_chain(call: Call) -> None:
    done = int(call.asked.path.rpartition("/")[2] or 0) if call.asked.path.count("/") > 1 else 0
    if done >= HOPS:
        await article(call)
    else:
        await call.redirect(f"/redirect-chain/{done + 1}")


@row("redirect-short")
async def _redirect_short(call: Call) -> None:
    """One honest hop on the same host."""
    await call.redirect("/article")


@row("redirect-host")
async def _redirect_host(call: Call) -> None:
    """To this very server under another name: whoever follows shows up in `requests`."""
    await call.redirect(call.site.url("article", host="localhost"))


@row("redirect-file")
async def _redirect_file(call: Call) -> None:
    await call.redirect("file:///etc/passwd")


@row("redirect-data")
async def _redirect_data(call: Call) -> None:
    await call.redirect("data:text/html,<h1>data</h1>")


@row("redirect-empty")
async def _redirect_empty(call: Call) -> None:
    await call.answer(status="302 Found")


@row("refresh-host")
async def _refresh(call: Call) -> None:
    away = call.site.url("article", host="localhost")
    await call.answer(
        f'<html><head><meta http-equiv="refresh" content="0;url={away}"></head><body></body></html>'
    )


@row("refresh-self")
async def _refresh_self(call: Call) -> None:
    await call.answer(
        '<html><head><meta http-equiv="refresh" content="0"></head><body>跳转中</body></html>'
    )
