"""The agency's own site: columns, feeds, sitemap, articles and letters, read by Scrapy.

Scrapy itself is imported only when something is read: the service checks settings with this
module and never crawls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import ChannelSettings
from crawler.catalogue import Channel, Preview, Reading, Tools
from crawler.runs import RunLog
from crawler.site.options import Options

__all__ = ["Options", "build", "preview", "read_together"]


@dataclass(frozen=True, slots=True)
class SiteChannel:
    name: str
    options: Options
    tools: Tools

    def read(self, run: RunLog) -> Reading:
        answer = read_together([(self, run)])[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def build(settings: ChannelSettings, tools: Tools) -> SiteChannel:
    return SiteChannel(settings.id, settings.options, tools)


def read_together(pairs: Sequence[tuple[Channel, RunLog]]) -> list[Reading | BaseException]:
    """All of them in one Scrapy process, since a reactor cannot be started twice."""
    from crawler.site.worker import read_sites

    return read_sites(
        [
            (channel.name, channel.options, channel.tools, run)
            for channel, run in pairs
            if isinstance(channel, SiteChannel)
        ]
    )


def preview(settings: ChannelSettings, tools: Tools) -> Preview:
    """What a pass would ask for; one list and three pages are really asked for."""
    from crawler.site.preview import preview

    return preview(settings.id, settings.options, tools)
