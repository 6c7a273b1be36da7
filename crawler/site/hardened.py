"""Scrapy's settings as we want them; each line that differs from its default has a reason."""

from __future__ import annotations

from typing import Any

from crawler import limits
from crawler.site.resolver import PRIVATE_HOSTS


def hardened(*, user_agent: str, delay: float, private_hosts: list[str]) -> dict[str, Any]:
    """For scrapy.Settings, at project priority.

    Redirects, retries, robots.txt, cookies and decompression are ours (crawler.site.fetcher):
    Scrapy's drop what they refuse without a word, and every fetch owes us an outcome.
    """
    return {
        "BOT_NAME": "tinglan",
        "USER_AGENT": user_agent,
        "DEFAULT_REQUEST_HEADERS": {
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Language": "zh-CN,zh;q=0.9",
            "Accept-Encoding": "gzip, deflate",
        },
        # a certificate that does not hold is news, not an inconvenience
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_MAXSIZE": limits.BODY,
        "DOWNLOAD_WARNSIZE": limits.BODY // 4,
        "DOWNLOAD_TIMEOUT": limits.FETCH_SECONDS,
        "DNS_TIMEOUT": limits.DNS_SECONDS,
        "DOWNLOAD_FAIL_ON_DATALOSS": True,
        "DOWNLOAD_HANDLERS": {"file": None, "data": None, "ftp": None, "s3": None},
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "COOKIES_ENABLED": False,
        "METAREFRESH_ENABLED": False,
        "REDIRECT_ENABLED": False,
        "REDIRECT_MAX_TIMES": limits.REDIRECTS,
        "RETRY_ENABLED": False,
        "COMPRESSION_ENABLED": False,
        "HTTPPROXY_ENABLED": False,  # a proxy would connect where we cannot check
        "HTTPCACHE_ENABLED": False,
        "ROBOTSTXT_OBEY": False,  # Scrapy crawls on where robots.txt answers 5xx; ours does not
        "DOWNLOAD_DELAY": delay,
        "DOWNLOAD_DELAY_JITTER": 0.0,
        "CONCURRENT_REQUESTS": 8,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        # a slow site is asked less often; without a delay, one request at a time is enough
        "AUTOTHROTTLE_ENABLED": delay > 0,
        "AUTOTHROTTLE_START_DELAY": delay,
        "AUTOTHROTTLE_MAX_DELAY": 30.0,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": 1.0,
        "TWISTED_DNS_RESOLVER": "crawler.site.resolver.GuardedResolver",
        PRIVATE_HOSTS: private_hosts,
        # what counts is counted in our own tables; the same again cost each page a dozen signals
        "STATS_CLASS": "scrapy.statscollectors.DummyStatsCollector",
        # The whole of what stands between us and a site. Scrapy loads even what is switched off,
        # with all that belongs to it, so its own lists give way to these.
        "DOWNLOADER_MIDDLEWARES_BASE": {
            "crawler.site.middlewares.HostGuard": 50,
            "scrapy.downloadermiddlewares.downloadtimeout.DownloadTimeoutMiddleware": 350,
            "scrapy.downloadermiddlewares.defaultheaders.DefaultHeadersMiddleware": 400,
            "scrapy.downloadermiddlewares.useragent.UserAgentMiddleware": 500,
        },
        "EXTENSIONS_BASE": {"scrapy.extensions.throttle.AutoThrottle": 0} if delay > 0 else {},
        # for requests that a spider yields; ours awaits its own
        "SPIDER_MIDDLEWARES_BASE": {},
        "LOG_INSTALL_ROOT_HANDLER": False,
        "LOG_LEVEL": "WARNING",
        "STATS_DUMP": False,
    }
