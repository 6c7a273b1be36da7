"""Chinese, ISO, RFC 822 and Weibo dates; an answer is right or there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from crawler.extraction.hygiene import visible
from crawler.widths import nfkc
from store.records import Precision

SHANGHAI = ZoneInfo("Asia/Shanghai")

_LIMIT = 200  #: characters of a date field that are looked at
_EARLIEST = 2000
_SKEW = timedelta(minutes=10)  #: by which a page's clock may run ahead of ours

_DIGITS = {c: str(n) for n, chars in enumerate(["〇○零", "一", "二两", "三", "四", "五", "六",
                                                "七", "八", "九"]) for c in chars}  # fmt: skip
_NUMERAL = "〇○零一二两三四五六七八九十廿卅"
_WEEKDAYS = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "日": 6, "天": 6, "末": 6}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_DAYS_AGO = {"今": 0, "昨": 1, "前": 2, "大前": 3}

_MERIDIEM = (
    r"凌晨|清晨|早晨|早上|上午|中午|正午|下午|午后|傍晚|晚上|晚间|夜间|夜里|深夜|午夜|早|晚|晨"
)
_ZONE = r"Z\b|UTC\b|GMT(?:[+-]\d{1,2}(?::?\d{2})?)?|CST\b|[+-]\d{2}:?\d{2}(?!\d)"
_TIME = (
    rf"(?P<mer>{_MERIDIEM})?\s*"
    r"(?P<hour>\d{1,2})\s*(?:"
    r":\s*(?P<minute>\d{1,2})(?:\s*:\s*(?P<second>\d{1,2})(?:[.,]\d{1,9})?)?"
    r"|[点时](?:(?P<half>半)|(?P<quarter>[一三])刻|(?P<cminute>\d{1,2})\s*分?"
    r"(?:\s*(?P<csecond>\d{1,2})\s*秒)?|整|钟)?"
    r")\s*(?P<ampm>[AaPp]\.?[Mm]\b\.?)?"
    rf"\s*(?P<zone>{_ZONE})?(?:许|左右)?"
)
_BETWEEN = r"\s*(?:\(?\s*(?:星期|周|礼拜)[一二三四五六日天]\s*\)?)?\s*[T,，]?\s*"
_AFTER = rf"(?:{_BETWEEN}{_TIME})?"
#: What follows a date must not turn it into something else: a version, a phone, a range's count.
_END = r"(?:(?<=[日号])|(?!\d)(?!\s*[-/.]\s*\d))"

_YMD = re.compile(
    r"(?<![\dvV.\-/])(?P<year>\d{4})\s*(?:"
    r"年\s*(?P<m1>\d{1,2})\s*月\s*(?P<d1>\d{1,2})"
    r"|(?P<sep>[-/.])\s*(?P<m2>\d{1,2})\s*(?P=sep)\s*(?P<d2>\d{1,2})"
    rf")(?:\s*[日号]|(?!\d))(?!\s*[-/.]\s*\d){_AFTER}"
)
_SHORT_YMD = re.compile(
    r"^(?P<year>\d{2})(?:年(?P<m1>\d{1,2})月(?P<d1>\d{1,2})[日号]"
    r"|(?P<sep>[-/])(?P<m2>\d{1,2})(?P=sep)(?P<d2>\d{1,2}))"
    rf"{_END}{_AFTER}\s*$"
)
_MD = re.compile(
    r"^(?P<when>今年|本年|去年|前年|本月|上月|上个月)?\s*"
    r"(?:(?:(?P<m1>\d{1,2})\s*月\s*)?(?P<d1>\d{1,2})\s*[日号]|(?P<m2>\d{2}(?=\D)"
    r"|\d(?=\D\d\d))[-/](?P<d2>\d{1,2}))"
    rf"{_END}{_AFTER}\s*$"
)
_YEAR_LAST = re.compile(
    r"^(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<year>\d{4})" + _AFTER + r"\s*$"
)
_DASHES = re.compile(r"(?<=\d)\s*[‐-―−]\s*(?=\d)")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2}):?(\d{2})(?::?(\d{2}))?)?(Z)?$")
_EPOCH = re.compile(r"^\d{10}(?:\d{3})?$")
_TRADITION = (  # month names; Weibo's created_at, RFC 822, prose
    re.compile(
        r"\b(?P<mon>[A-Za-z]{3})[a-z]*\.?\s+(?P<day>\d{1,2})\s+"
        r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s*"
        rf"(?P<zone>{_ZONE})?\s+(?P<year>\d{{4}})\b"
    ),
    re.compile(
        r"\b(?P<day>\d{1,2})(?:st|nd|rd|th)?[\s-]+(?P<mon>[A-Za-z]{3})[a-z]*\.?,?[\s-]+"
        r"(?P<year>\d{4})\b(?:,?\s+(?:at\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})"
        rf"(?::(?P<second>\d{{2}}))?\s*(?P<ampm>[AaPp]\.?[Mm]\b\.?)?\s*(?P<zone>{_ZONE})?)?"
    ),
    re.compile(
        r"\b(?P<mon>[A-Za-z]{3})[a-z]*\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+"
        r"(?P<year>\d{4})\b(?:,?\s+(?:at\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})"
        rf"(?::(?P<second>\d{{2}}))?\s*(?P<ampm>[AaPp]\.?[Mm]\b\.?)?\s*(?P<zone>{_ZONE})?)?"
    ),
)
_AGO = re.compile(
    r"^(?:大?约)?\s*(?:(?P<n>\d{1,4})|(?P<half>半)"
    r"|(?P<article>an?))\s*(?:个)?\s*(?P<plushalf>半)?\s*"
    r"(?P<unit>秒钟?|分钟?|小时|钟头|天|周|星期|礼拜|月|年"
    r"|seconds?|secs?|minutes?|mins?|hours?|days?|weeks?|months?|years?)"
    r"(?:\s*(?P<n2>\d{1,2})\s*分钟?|(?P<halfafter>半))?\s*(?:钟)?\s*(?:之前|以前|前|ago)"
    r"(?:\s+(?P<hour>\d{1,2}):(?P<minute>\d{2}))?$",
    re.I,
)
_DAY_WORD = re.compile(
    r"^(?P<day>大前|前|昨|今)(?:(?:天|日)|(?P<part>[晨晚早夜]))\s*,?\s*"
    rf"(?:{_TIME})?\s*$"
)
_ENGLISH_DAY = re.compile(rf"^(?P<day>today|yesterday)(?:\s+at)?\s*,?\s*(?:{_TIME})?\s*$", re.I)
_WEEKDAY = re.compile(
    r"^(?P<which>上上个?|上个?|本|这个?|下个?)?(?:星期|周|礼拜)(?P<day>[一二三四五六日天])\s*"
    rf"(?:{_TIME})?\s*$"
)
_BARE_TIME = re.compile(rf"^{_TIME}\s*$")
_NOW = re.compile(r"^(?:刚刚|刚才|刚发布|几秒前|片刻之前|just now)$", re.I)

#: In front of a date, in a field of its own.
_PREFIX = re.compile(
    r"^(?:[\s\[【(<·|*•]*(?:[\u4e00-\u9fff]{0,8}?(?:时间|日期|[发成]文|发布于|发表于|更新于"
    r"|创建于|于)"
    r"|(?:date\s*)?(?:published|updated|posted|modified|pub\s?date|date|time)(?:\s+(?:on|at|time"
    r"|date))?"
    r"|发布|发表|更新)(?:为|是)?\s*[:：]?\s*)?",
    re.I,
)
_PUBLISHED = re.compile(r"(?:发布|发表|发稿|发文|公开)(?:时间|日期|于)\s*[:：]?")
#: A number behind one of these is no date, however much it looks like one.
_NOT_A_DATE = re.compile(
    r"(?:点击|浏览|阅读|访问|查看|人气|次数|电话|传真|热线|邮编|编号|文号|索引号|备案|许可证"
    r"|版本|身份证|账号|价格|金额|QQ|IP|明天|后天|下周|农历|民国)"
)
_CHINESE_DATE = re.compile(
    r"(?P<year>[〇○零一二三四五六七八九OoＯ0-9]{4}|[〇○零一二三四五六七八九]{2})\s*年\s*"
    rf"(?P<month>[{_NUMERAL}]{{1,3}}|\d{{1,2}})\s*月\s*(?P<day>[{_NUMERAL}]{{1,3}}"
    rf"|\d{{1,2}})\s*[日号]"
)
_CHINESE_NUMBER = re.compile(
    rf"[{_NUMERAL}]{{1,4}}(?=\s*(?:个半?|小时|分|秒|天|周|月|年|日|号|点|时|星期|礼拜))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time as a page tells it.

    `at` is aware, in Asia/Shanghai; midnight where only the day is known.
    """

    at: datetime
    precision: Precision
    raw: str
    suspect: bool = False  #: more than a day ahead, or before 2000: shown, never trusted


def parse(text: str, now: datetime) -> Moment | None:
    """The date in a field such as 发布时间：2026年7月4日 上午9点30分, 昨天 12:30, 3天前.

    `now` is aware and resolves what is relative; a date without a year is the latest one
    that is not ahead of it. A naive date is China's. None where the text is not plainly a
    date: 2月30日, phone numbers, hit counts, versions.
    """
    raw = " ".join(visible(text[: 4 * _LIMIT]).split())[:_LIMIT]
    local = now.astimezone(SHANGHAI)
    plain = _plain(raw)
    if not plain:
        return None
    label = _PUBLISHED.search(plain)
    if label and label.start() > 0:
        moment = _read(plain[label.end() :], local)
        if moment:
            return _judged(moment, raw, local)
    moment = _read(plain, local)
    return _judged(moment, raw, local) if moment else None


def full_date(text: str, now: datetime) -> Moment | None:
    """The first date with a year inside running text, where anything vaguer is guesswork."""
    raw = " ".join(visible(text[: 4 * _LIMIT]).split())[:_LIMIT]
    moment = _dated(_plain(raw))
    return _judged(moment, raw, now.astimezone(SHANGHAI)) if moment else None


def _judged(moment: Moment, raw: str, now: datetime) -> Moment:
    suspect = moment.at - now > timedelta(days=1) or moment.at.year < _EARLIEST
    return replace(moment, raw=raw, suspect=suspect)


def _plain(raw: str) -> str:
    """Half-width, Chinese numerals turned to digits where they count something."""
    text = nfkc(raw)
    text = _DASHES.sub("-", text)
    text = _CHINESE_DATE.sub(_arabic_date, text)
    return _CHINESE_NUMBER.sub(lambda match: _number(match.group()) or match.group(), text).strip()


def _arabic_date(match: re.Match[str]) -> str:
    year = "".join(_DIGITS.get(char, "0" if char in "OoＯ" else char) for char in match["year"])
    month, day = (
        part if part.isdigit() and part.isascii() else _number(part) or "0"
        for part in (match["month"], match["day"])
    )
    return f"{year}年{month}月{day}日"


def _number(text: str) -> str:
    """十二 → 12, 廿一 → 21, 两 → 2, 三〇 → 30; "" where it is no number below 100."""
    tens = {"十": 1, "廿": 2, "卅": 3}
    if not any(char in tens for char in text):
        return "".join(_DIGITS[char] for char in text) if len(text) <= 2 else ""
    match = re.fullmatch(r"([一二三四五六七八九])?([十廿卅])([一二三四五六七八九])?", text)
    if not match:
        return ""
    ten = int(_DIGITS[match[1]]) if match[1] else tens[match[2]]
    return str(ten * 10 + int(_DIGITS[match[3]] if match[3] else 0))


def _read(text: str, now: datetime) -> Moment | None:
    text = text.strip(" \t:：|·•*[]【】()<>，,。;；")
    return (
        _digits(text, now)
        or _dated(text)
        or _vague(_PREFIX.sub("", text, count=1).strip(" :：()[]【】"), now)
    )


def _digits(text: str, now: datetime) -> Moment | None:
    """20260714, 20260714182205, and seconds or milliseconds since 1970."""
    bare = _PREFIX.sub("", text, count=1).strip()
    match = _COMPACT.match(bare)
    if match and 1990 <= int(match[1]) <= 2100:
        year, month, day, hour, minute, second, zulu = match.groups()
        time = (int(hour or 0), int(minute or 0), int(second or 0))
        at = _instant(int(year), int(month), int(day), time, "Z" if zulu else "")
        precision = Precision.SECOND if second else Precision.MINUTE if hour else Precision.DAY
        return Moment(at=at, precision=precision, raw="") if at else None
    if _EPOCH.match(bare):
        at = datetime.fromtimestamp(int(bare[:10]), UTC).astimezone(SHANGHAI)
        if at.year > _EARLIEST and at - now <= timedelta(days=1):
            return Moment(at=at, precision=Precision.SECOND, raw="")
    return None


def _dated(text: str) -> Moment | None:
    for match in _YMD.finditer(text):
        if _NOT_A_DATE.search(text[max(0, match.start() - 8) : match.start()]):
            continue
        month, day = match["m1"] or match["m2"], match["d1"] or match["d2"]
        return _moment(match, int(match["year"]), int(month), int(day))
    for pattern in _TRADITION:
        for found in pattern.finditer(text):
            number = _MONTHS.get(found["mon"].lower())
            if number:
                return _moment(found, int(found["year"]), number, int(found["day"]))
    return None


def _vague(text: str, now: datetime) -> Moment | None:
    """Dates that lean on `now`. The text must hold nothing else."""
    if _NOT_A_DATE.search(text):
        return None
    if _NOW.match(text):
        return Moment(at=now, precision=Precision.MINUTE, raw="")
    readers = (
        (_SHORT_YMD, _short_year),
        (_YEAR_LAST, _year_last),
        (_MD, _month_day),
        (_AGO, _ago),
        (_DAY_WORD, _day_word),
        (_ENGLISH_DAY, _english_day),
        (_WEEKDAY, _weekday),
        (_BARE_TIME, _bare_time),
    )
    for pattern, reader in readers:
        match = pattern.match(text)
        if match:
            return reader(match, now)
    return None


def _short_year(match: re.Match[str], now: datetime) -> Moment | None:
    year = 2000 + int(match["year"])
    if not 2010 <= year <= now.year + 1:
        return None
    return _moment(match, year, int(match["m1"] or match["m2"]), int(match["d1"] or match["d2"]))


def _year_last(match: re.Match[str], _now: datetime) -> Moment | None:
    """31/12/2025: only where one of the two orders makes a date, or both the same."""
    a, b, year = int(match["a"]), int(match["b"]), int(match["year"])
    readings = {(m, d) for m, d in ((a, b), (b, a)) if _instant(year, m, d)}
    return _moment(match, year, *readings.pop()) if len(readings) == 1 else None


def _month_day(match: re.Match[str], now: datetime) -> Moment | None:
    when, month, day = match["when"], match["m1"] or match["m2"], int(match["d1"] or match["d2"])
    if month is None:
        if when not in {"本月", "上月", "上个月"}:
            return None
        base = now if when == "本月" else now.replace(day=1) - timedelta(days=1)
        return _past(_moment(match, base.year, base.month, day), now)
    if when in {"本月", "上月", "上个月"}:
        return None
    if when in {"去年", "前年"}:
        return _moment(match, now.year - (1 if when == "去年" else 2), int(month), day)
    this_year = _past(_moment(match, now.year, int(month), day), now)
    if this_year or when:
        return this_year
    return _past(_moment(match, now.year - 1, int(month), day), now)


def _past(moment: Moment | None, now: datetime) -> Moment | None:
    return moment if moment and moment.at - now <= _SKEW else None


def _ago(match: re.Match[str], now: datetime) -> Moment | None:
    count = 0.5 if match["half"] else 1.0 if match["article"] else float(match["n"])
    if match["plushalf"] or match["halfafter"]:
        count += 0.5
    unit = match["unit"].lower()
    more = timedelta(minutes=int(match["n2"] or 0))
    spans = {
        "秒": timedelta(seconds=1), "sec": timedelta(seconds=1),
        "分": timedelta(minutes=1), "min": timedelta(minutes=1),
        "小": timedelta(hours=1), "钟": timedelta(hours=1), "hou": timedelta(hours=1),
    }  # fmt: skip
    for start, span in spans.items():
        if unit.startswith(start):
            return Moment(at=now - span * count - more, precision=Precision.MINUTE, raw="")
    if unit.startswith(("月", "mon")):
        if count == 0.5:
            return _on(now - timedelta(days=15))
        return _on(_months_back(now, int(count)))
    if unit.startswith(("年", "yea")):
        return _on(_months_back(now, int(count * 12)))
    if count == 0.5 and unit.startswith(("天", "day")):
        return Moment(at=now - timedelta(hours=12), precision=Precision.MINUTE, raw="")
    days = 7 if unit.startswith(("周", "星", "礼", "wee")) else 1
    day = now - timedelta(days=int(count * days))
    return _moment(match, day.year, day.month, day.day)


def _months_back(now: datetime, months: int) -> datetime:
    index = now.year * 12 + now.month - 1 - months
    year, month = max(index // 12, 1), index % 12 + 1
    for day in (now.day, 30, 29, 28):
        try:
            return now.replace(year=year, month=month, day=min(day, now.day))
        except ValueError:
            continue
    return now.replace(year=year, month=month, day=28)


def _day_word(match: re.Match[str], now: datetime) -> Moment | None:
    base = now - timedelta(days=_DAYS_AGO[match["day"]])
    part = {"晨": "早", "早": "早", "晚": "晚", "夜": "晚"}.get(match["part"] or "", "")
    return _past(_moment(match, base.year, base.month, base.day, part), now + timedelta(days=1))


def _english_day(match: re.Match[str], now: datetime) -> Moment | None:
    base = now - timedelta(days=0 if match["day"].lower() == "today" else 1)
    return _moment(match, base.year, base.month, base.day)


def _weekday(match: re.Match[str], now: datetime) -> Moment | None:
    which = match["which"] or ""
    if which.startswith("下"):
        return None
    monday = now - timedelta(days=now.weekday())
    base = monday + timedelta(days=_WEEKDAYS[match["day"]] - 7 * which.count("上"))
    if not which and base > now:
        base -= timedelta(days=7)
    return _past(_moment(match, base.year, base.month, base.day), now)


def _bare_time(match: re.Match[str], now: datetime) -> Moment | None:
    """10:20 on a list of today's posts; one that lies ahead is not today's, so unknown."""
    if match["minute"] and len(match["minute"]) < 2:
        return None  # 3:2 is a score
    return _past(_moment(match, now.year, now.month, now.day), now)


def _on(day: datetime) -> Moment:
    at = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return Moment(at=at, precision=Precision.DAY, raw="")


def _moment(match: re.Match[str], year: int, month: int, day: int, part: str = "") -> Moment | None:
    """With the time of day that the pattern caught; None where day or time do not exist."""
    found = match.groupdict()
    if found.get("hour") is None:
        at = _instant(year, month, day)
        return Moment(at=at, precision=Precision.DAY, raw="") if at else None
    hour = _hour(int(found["hour"]), found.get("mer") or part, found.get("ampm") or "")
    minute = found.get("minute") or found.get("cminute")
    if found.get("half"):
        minute = "30"
    elif found.get("quarter"):
        minute = "15" if found["quarter"] == "一" else "45"
    second = found.get("second") or found.get("csecond")
    if hour is None:
        return None
    zone = found.get("zone") or ""
    if zone.startswith("-") and not second:
        zone = ""  # 08:30-09:30 is a span of time, not an offset
    at = _instant(year, month, day, (hour, int(minute or 0), int(second or 0)), zone)
    precision = Precision.SECOND if second else Precision.MINUTE
    return Moment(at=at, precision=precision, raw="") if at else None


def _hour(hour: int, part: str, ampm: str) -> int | None:
    """Of 24; 24 itself is the next midnight. None where 凌晨 and 15 contradict."""
    half = ampm.lower().replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            return hour if half == "pm" and hour < 24 else None
        return hour % 12 + (12 if half == "pm" else 0)
    if part in {"凌晨", "午夜"}:
        return hour % 12 if hour <= 12 else None
    if part in {"下午", "午后", "傍晚"}:
        return hour + 12 if 1 <= hour < 12 else hour
    if part in {"中午", "正午"}:
        return hour + 12 if 1 <= hour <= 3 else hour
    if part in {"晚上", "晚间", "夜间", "夜里", "深夜", "晚"}:
        return hour + 12 if 5 <= hour <= 12 else hour
    return hour


def _instant(
    year: int, month: int, day: int, time: tuple[int, int, int] = (0, 0, 0), zone: str = ""
) -> datetime | None:
    hour, minute, second = time
    extra = timedelta(0)
    if hour == 24 and minute == 0 and second == 0:
        hour, extra = 0, timedelta(days=1)
    second = min(second, 59) if second == 60 else second
    try:
        naive = datetime(year, month, day, hour, minute, second) + extra  # noqa: DTZ001
        return naive.replace(tzinfo=_zone(zone)).astimezone(SHANGHAI)
    except (ValueError, OverflowError):
        return None


def _zone(name: str) -> timezone | ZoneInfo:
    """CST on a Chinese page is China's, not Chicago's."""
    if name in {"Z", "UTC", "GMT"}:
        return UTC
    match = re.search(r"([+-])(\d{1,2}):?(\d{2})?$", name)
    if not match:
        return SHANGHAI
    shift = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(shift if match[1] == "+" else -shift)
