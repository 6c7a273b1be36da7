"""The words on the command line: every command, its options, its help with an example."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from config.version import VERSION

Command = Callable[[argparse.Namespace], int]

_GROUPS = """\
开始使用:
  init        写出一套带注释的设置
  check       逐项核对设置、数据库、发信、渠道
  run         启动值守服务（SIGTERM 停止）
  demo        用虚构的示例单位演示全过程，一分钟内收到第一封预警
采集与研判:
  crawl       立即采集一遍，显示进度
  intake      登记电话、来信、来访和 12345 转来的诉求
  extract     看一个网页能读出什么
  assess      对给定文本逐条研判，不入库
  group       哪些帖文说的是同一件事
  rules       规则：列表、试一段文字、回看过去
处置:
  items       舆情条目：列表、详情、流转
  outbox      通知：欠发、已发、被拒；重发
  test-mail   经真实路径发一封测试信并报告用时
  digest      舆情周报
运维:
  status      各部分是否正常
  user        值班台账号
  ledger      核验台账
  backup      备份
  restore     恢复
  purge       删除到期数据
  bench       性能对比
"""


def grammar(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The whole grammar; `--help` of each command teaches by example."""
    top = argparse.ArgumentParser(
        prog="tinglan",
        description="听澜：本单位自有渠道的舆情监测——发现、研判、报送、处置、办结。",
        epilog=_GROUPS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="tinglan COMMAND [options]",
    )
    top.add_argument("--version", action="version", version=f"tinglan {VERSION}")
    top.set_defaults(config=None, json=False)
    chosen = top.add_subparsers(dest="command", metavar="COMMAND", help=argparse.SUPPRESS)
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--config", metavar="FILE", help="设置文件（默认 ./tinglan.toml 或 $TINGLAN_CONFIG）"
    )
    common.add_argument("--json", action="store_true", help="只在标准输出打印 JSON")

    def add(name: str, text: str, example: str = "") -> argparse.ArgumentParser:
        made = chosen.add_parser(
            name,
            help=argparse.SUPPRESS,
            description=text,
            epilog=f"例：\n  {example}" if example else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common],
        )
        made.set_defaults(run=commands[name])
        return made

    one = add("init", "写出一套带注释的设置，不覆盖已有文件。", "tinglan init /srv/tinglan")
    one.add_argument("directory", nargs="?", default=".", metavar="DIR")

    one = add("check", "列出设置里的全部错误，并实地核对数据库、发信服务器和各渠道。")
    one.add_argument("--offline", action="store_true", help="只核对文件，不连网络")

    add("run", "启动值守：定时采集、研判、报送、周报。日志写到标准错误。")

    one = add("demo", "在本机演示全过程：示例网站、收信服务器、值守服务。Ctrl+C 停止。")
    one.add_argument("--dir", default="var/demo", help="演示数据放在哪里（每次重新开始）")
    one.add_argument("--port", type=int, default=8761, help="起始端口，连用四个（默认 8761）")
    one.add_argument("--speed", type=float, default=1.0, help="剧情快慢，2 表示快一倍")
    one.add_argument("--seconds", type=float, default=None, help="演示多少秒后自动停止")

    one = add("crawl", "立即采集一遍指定渠道（不写即全部），显示进度。", "tinglan crawl site")
    one.add_argument("channels", nargs="*", metavar="CHANNEL")
    one.add_argument(
        "--dry-run", action="store_true", help="只预演：会取什么、花多少配额、三条样例"
    )
    one.add_argument("--attended", action="store_true", help=argparse.SUPPRESS)
    one.add_argument("--planned-at", help=argparse.SUPPRESS)

    one = add(
        "intake",
        "登记电话、来信、来访和 12345 转来的诉求，进入同一队列；FILE 为 CSV 或 JSON Lines。",
        "tinglan intake 12345导出.csv --way 12345；tinglan intake --way 电话 --text 解放路积水半米",
    )
    one.add_argument("file", nargs="?", default="", metavar="FILE|-")
    one.add_argument("--way", default="", help="来源：12345、来信、来访、电话、其他")
    one.add_argument("--text", default="", help="一条诉求的内容")
    one.add_argument("--title", default="", help="标题")
    one.add_argument("--number", default="", help="本单位的编号；同一编号再登记即更新")
    one.add_argument("--person", default="", help="来电人或来信人，只留加密假名")
    one.add_argument("--time", default="", help="何时，例如 2026-07-15 08:30；不写即现在")

    one = add(
        "extract",
        "读一个网页文件或网址，打印标题、正文、发布时间、来源。",
        "tinglan extract page.html --url http://www.example.gov.cn/art/1.html",
    )
    one.add_argument("what", metavar="FILE|URL")
    one.add_argument("--url", help="网页原来的地址")
    one.add_argument("--batch", action="store_true", help="FILE（或 -）是 JSON Lines，逐行作答")

    one = add(
        "assess",
        "逐行读 JSON（id, text, …），逐行给出情感、类别、等级和依据；什么都不入库。",
        'echo \'{"id":"1","text":"桥下积水困住一辆车，快来人"}\' | tinglan assess -',
    )
    one.add_argument("file", nargs="?", default="-", metavar="FILE|-")

    one = add("group", "逐行读 JSON（id, text），给出哪些说的是同一件事；什么都不入库。")
    one.add_argument("file", nargs="?", default="-", metavar="FILE|-")

    one = add(
        "rules",
        "规则：list 列表，test TEXT 试一段文字，backtest --since 日期 看改动对过去意味着什么。",
        "tinglan rules test 桥下积水困住一辆车，快来人",
    )
    actions = one.add_subparsers(dest="action")
    actions.add_parser("list", help="列表", parents=[common])
    tried = actions.add_parser("test", help="试一段文字：为什么报、为什么不报", parents=[common])
    tried.add_argument("text", metavar="TEXT|-")
    back = actions.add_parser("backtest", help="用现在的规则重看已入库的帖文", parents=[common])
    back.add_argument("--since", required=True, metavar="DATE")

    one = add(
        "items",
        "舆情条目：list 列表，show ID 详情，move ID STATE 流转。",
        "tinglan items move TL-2026-0001 to_report --by 张值班 --note 属实，已电话核实",
    )
    actions = one.add_subparsers(dest="action")
    listed = actions.add_parser("list", help="列表", parents=[common])
    listed.add_argument("--all", action="store_true", help="连已办结的一起列出")
    shown = actions.add_parser("show", help="一个条目的全部记录", parents=[common])
    shown.add_argument("id")
    moved = actions.add_parser("move", help="流转到下一状态", parents=[common])
    moved.add_argument("id")
    moved.add_argument("state")
    moved.add_argument("--by", required=True, help="谁")
    moved.add_argument("--note", default="", help="说明")
    moved.add_argument("--into", default="", help="并入（merged）哪个条目")
    one.set_defaults(all=False)

    one = add("outbox", "通知：list 列出欠发、已发和被拒；resend ID 重发。")
    actions = one.add_subparsers(dest="action")
    listed = actions.add_parser("list", help="列表", parents=[common])
    listed.add_argument("--all", action="store_true", help="连已送达的一起列出")
    again = actions.add_parser("resend", help="重发一封", parents=[common])
    again.add_argument("id")
    again.add_argument("--by", required=True, help="谁")
    one.set_defaults(all=False)

    one = add("test-mail", "经真实路径给 ADDRESS 发一封测试信，报告每一步用时。")
    one.add_argument("address")

    one = add(
        "digest",
        "舆情周报。数字一经生成即冻结。",
        "tinglan digest --week 2026-W47 --out .",
    )
    one.add_argument("--week", help="ISO 周，例如 2026-W47；不写即上一周")
    one.add_argument("--out", metavar="DIR", help="把文件写到这里")
    one.add_argument("--send", action="store_true", help="交给发件箱发出")
    one.add_argument("--correct", action="store_true", help="重新统计，出更正版")

    one = add("status", "服务、渠道、条目、通知、磁盘的现状。")
    one.add_argument("--alive", action="store_true", help="只用退出码回答：服务活着为 0，否则 1")

    one = add("ledger", "verify：逐条核验台账是否被改动。")
    one.add_argument("action", choices=["verify"])

    one = add(
        "user",
        "值班台账号：add 新建（口令由终端输入），list 列表，disable 停用。",
        "tinglan user add admin --name 李管理 --role admin",
    )
    actions = one.add_subparsers(dest="action")
    actions.add_parser("list", help="列表", parents=[common])
    fresh = actions.add_parser("add", help="新建账号", parents=[common])
    fresh.add_argument("name", help="登录名")
    fresh.add_argument("--name", dest="person", required=True, help="姓名")
    fresh.add_argument(
        "--role",
        required=True,
        help="officer、leader、office、admin、auditor 或 viewer",
    )
    fresh.add_argument("--office", default="", help="责任处室账号所属处室的 id")
    gone = actions.add_parser("disable", help="停用账号，立即结束其会话", parents=[common])
    gone.add_argument("name")

    one = add("backup", "把数据库一致地备份到 FILE，不影响运行中的服务。")
    one.add_argument("file", metavar="FILE")

    one = add("restore", "用备份替换数据库；须先停服务，须确认；不会重发旧通知。")
    one.add_argument("file", metavar="FILE")
    one.add_argument("--yes", action="store_true", help="不再询问")

    add("purge", "按设置的保存期限删除到期数据（服务每天自动做一次）。")

    one = add("bench", "同场对比性能；不写名称即列出全部。")
    one.add_argument("stage", nargs="?", default="")
    one.add_argument("rest", nargs="*", metavar="ARG")
    return top
