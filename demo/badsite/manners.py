"""What a polite visitor heeds: robots.txt, and when to come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from demo.badsite.calls import Call, row
from demo.badsite.plain import article, nothing, silence


@row("robots.txt")
async def _robots(call: Call) -> None:
    rules = {
        "open": "User-agent: *\nDisallow: /private\n",
        "closed": "User-agent: *\nDisallow: /\n",
        "delay": "User-agent: *\nCrawl-delay: 1\nDisallow: /private\n",
    }
    match call.site.robots:
        case "503":
            await call.answer("busy", status="503 Service Unavailable", kind="text/plain")
        case "reset":
            call.reset()
        case "404":
            await nothing(call)
        case "silent":
            await silence(call)
        case kind:
            await call.answer(rules[kind], kind="text/plain")


@row("flaky-429", "flaky-503", "flaky-503-date")
async def _come_back(call: Call) -> None:
    """Asks to come back later, and is well again then."""
    first = call.site.asked(call.asked.name)[0]
    if call.asked.at - first.at >= call.site.retry_after:
        await article(call)
    else:
        await _later(call)


@row("429", "503", "503-date")
async def _later(call: Call) -> None:
    """Never well again; Retry-After in seconds or as an HTTP date."""
    seconds = call.site.retry_after
    wait = str(seconds)
    if call.asked.name.endswith("date"):
        # HTTP dates have whole seconds: one more, so that nobody is told to come too early
        wait = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 1), usegmt=True)
    status = "429 Too Many Requests" if "429" in call.asked.name else "503 Service Unavailable"
    await call.answer("busy", status=status, headers=[("Retry-After", wait)])
