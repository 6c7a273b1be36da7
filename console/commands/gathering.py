"""`crawl`, `intake` and `extract`: how posts come in."""

from __future__ import annotations

import argparse
import os
from datetime import datetime
from pathlib import Path

from config.version import VERSION
from console.commands.opening import crawling, house, now
from console.commands.speaking import (
    DONE,
    FAILED,
    WRONG,
    Refused,
    bytes_of,
    lines_of,
    put,
    say,
    tell,
    tell_each,
)
from console.grammar import Command


def _crawl(args: argparse.Namespace) -> int:
    from crawler.attended import ToldToStop

    try:
        return _crawled(args)
    except ToldToStop:  # before or after the runs: there is nothing left to close
        return FAILED


def _crawled(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from crawler.catalogue import silent
    from crawler.command import crawl
    from store.records import RunState

    if args.attended:
        from crawler.attended import attend

        attend()
    with house(args, crawling) as ready:
        known = [c.id for c in ready.settings.channels]
        unknown = [c for c in args.channels if c not in known]
        if unknown:
            tell(f"没有渠道 {'、'.join(unknown)}；可用的有：{'、'.join(known)}")
            return WRONG
        if args.dry_run:
            from console.trying import dry_run

            return max(dry_run(ready, c, as_json=args.json) for c in args.channels or known)
        results = crawl(
            ready.settings,
            ready.database,
            ready.clock,
            args.channels,
            environ=os.environ,
            planned_at=datetime.fromisoformat(args.planned_at) if args.planned_at else None,
            progress=silent if args.json or args.attended else tell,
        )
    if args.json:
        for result in results:
            put(asdict(result))
    return DONE if all(r.state is RunState.DONE for r in results) else FAILED


def _intake(args: argparse.Namespace) -> int:
    from config.keys import author_key
    from crawler.byhand import Entry, NotTaken, record, record_file, way_of

    if bool(args.file) == bool(args.text):
        tell("要么给一个文件（CSV 或 JSON Lines，- 为标准输入），要么用 --text 写一条。")
        return WRONG
    try:
        way = way_of(args.way) if args.way else None
    except NotTaken as error:
        tell(f"--way：{error}")
        return WRONG
    with house(args) as ready:
        key = author_key(ready.settings.privacy, os.environ)
        now = ready.clock.now()
        try:
            if args.file:
                body = bytes_of(args.file)
                taken = record_file(ready.database, body, now=now, author_key=key, way=way)
            else:
                entry = Entry(
                    way=way or way_of(""),
                    text=args.text,
                    title=args.title,
                    number=args.number,
                    person=args.person,
                    time=args.time,
                )
                taken = record(ready.database, entry, now=now, author_key=key)
        except NotTaken as error:
            raise Refused(f"{args.file or '--text'}：{error}") from None
    tell_each(taken.refused)
    told = {"new": taken.new, "changed": taken.changed, "known": taken.known}
    if args.json:
        put({**told, "refused": [{"line": one.line, "why": one.why} for one in taken.refused]})
    else:
        said = f"收下 {taken.new} 件，更新 {taken.changed} 件，早已收过 {taken.known} 件"
        say(said + (f"，{len(taken.refused)} 行未收" if taken.refused else ""))
    return FAILED if taken.refused else DONE


def _extract(args: argparse.Namespace) -> int:
    from crawler.extraction.command import extract_batch, extract_one

    if args.batch:
        for row in extract_batch(lines_of(args.what), now=now()):
            put(row)
        return DONE
    body, kind = _page(args.what)
    url = args.url or (args.what if "://" in args.what else "")
    row = extract_one(body, content_type=kind, url=url, fetched_at=now())
    if args.json:
        put(row)
    else:
        for key, value in row.items():
            say(f"{key}: {value}")
    return DONE


def _page(what: str) -> tuple[bytes, str]:
    """(body, Content-Type) of a file or an address. Raises Refused."""
    if "://" not in what:
        try:
            return Path(what).read_bytes(), ""
        except OSError as error:
            raise Refused(f"{what}: {error.strerror}") from None
    import httpx

    try:
        answer = httpx.get(what, timeout=30, headers={"User-Agent": f"tinglan/{VERSION}"})
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refused(f"{what}: {error}") from None
    return answer.content, answer.headers.get("content-type", "")


def _crawl_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("channels", nargs="*", metavar="CHANNEL")
    one.add_argument(
        "--dry-run", action="store_true", help="只预演：会取什么、花多少配额、三条样例"
    )
    one.add_argument("--attended", action="store_true", help=argparse.SUPPRESS)
    one.add_argument("--planned-at", help=argparse.SUPPRESS)


def _intake_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("file", nargs="?", default="", metavar="FILE|-")
    one.add_argument("--way", default="", help="来源：12345、来信、来访、电话、其他")
    one.add_argument("--text", default="", help="一条诉求的内容")
    one.add_argument("--title", default="", help="标题")
    one.add_argument("--number", default="", help="本单位的编号；同一编号再登记即更新")
    one.add_argument("--person", default="", help="来电人或来信人，只留加密假名")
    one.add_argument("--time", default="", help="何时，例如 2026-07-15 08:30；不写即现在")


def _extract_words(one: argparse.ArgumentParser) -> None:
    one.add_argument("what", metavar="FILE|URL")
    one.add_argument("--url", help="网页原来的地址")
    one.add_argument("--batch", action="store_true", help="FILE（或 -）是 JSON Lines，逐行作答")


COMMANDS = (
    Command(
        name="crawl",
        about="立即采集一遍，显示进度",
        text="立即采集一遍指定渠道（不写即全部），显示进度。",
        example="tinglan crawl site",
        words=_crawl_words,
        run=_crawl,
    ),
    Command(
        name="intake",
        about="登记电话、来信、来访和 12345 转来的诉求",
        text="登记电话、来信、来访和 12345 转来的诉求，进入同一队列；FILE 为 CSV 或 JSON Lines。",
        example="tinglan intake 12345导出.csv --way 12345；"
        "tinglan intake --way 电话 --text 解放路积水半米",
        words=_intake_words,
        run=_intake,
    ),
    Command(
        name="extract",
        about="看一个网页能读出什么",
        text="读一个网页文件或网址，打印标题、正文、发布时间、来源。",
        example="tinglan extract page.html --url http://www.example.gov.cn/art/1.html",
        words=_extract_words,
        run=_extract,
    ),
)
