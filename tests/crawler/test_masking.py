"""Personal numbers never reach the store; everything a duty officer needs does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.masking import mask
from store.records import Role
from tests.patience import at_most


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("请联系13812345678谢谢", "请联系138****5678谢谢"),
        ("１３８１２３４５６７８", "１３８****５６７８"),
        ("138 1234 5678", "138 **** 5678"),
        ("138-1234-5678", "138-****-5678"),
        ("138.1234.5678", "138.****.5678"),
        ("138—1234—5678", "138—****—5678"),
        ("+86 138 1234 5678", "+86 138 **** 5678"),
        ("86-13812345678", "86-138****5678"),
        ("1381234 5678", "138**** 5678"),
        ("1 3 8 1 2 3 4 5 6 7 8", "1 3 8 * * * * 5 6 7 8"),
        ("138\u200b1234\u200b5678", "138\u200b****\u200b5678"),
        ("一三八一二三四五六七八", "一三八****五六七八"),
        ("幺三八幺二三四五六七八", "幺三八****五六七八"),
        ("微信同号13812345678，电话0571-87654321", "微信同号138****5678，电话0571-****4321"),
    ],
)
def test_a_mobile_number_in_any_dress_is_starred(written, kept):
    assert mask(written) == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("身份证11010519491231002X。", "身份证1101************2X。"),
        ("身份证11010519491231002x", "身份证1101************2x"),
        ("１１０１０５１９４９１２３１００２Ｘ", "１１０１************２Ｘ"),
        ("110105 19491231 002X", "1101** ******** **2X"),
        ("老证号110105491231002", "老证号1101*********02"),
        # one digit is wrong, but it is called what it is
        ("身份证号：110105194912310021", "身份证号：1101************21"),
        ("卡号6222021234567890128", "卡号6222***********0128"),
        ("4111 1111 1111 1111", "4111 **** **** 1111"),
        ("邮箱zhang.san@example.com", "邮箱z********@example.com"),
        ("lisi＠example．com", "l***＠example．com"),
        ("座机：87654321", "座机：****4321"),
        ("(0571)8765 4321", "(0571)**** 4321"),
        ("０５７１－８７６５４３２１转801", "０５７１－****４３２１转801"),
        ("010-68400000", "010-****0000"),
    ],
)
def test_identity_card_bank_mail_and_landline_numbers_are_starred(written, kept):
    assert mask(written) == kept


@pytest.mark.parametrize(
    "text",
    [
        "拨打12345、110、119、120、96121或400-820-8820、4008208820",
        "2026-11-22 13:45:10 发布",
        "气预〔2026〕12号，预警编号：33010020261122130500",
        "雨量15.2 33.4 12.1 8.9毫米，13 15 18 20 22 24 26 28 30 32 34",
        "工单号20261122130500123",
        "统一社会信用代码11330100002489559X",
        "经度120.153576，纬度30.287459",
        "流水号：6222021234567890128",
        "受理编号 2026112213050012",
        "浏览次数：20260101",
        "@市气象局 怎么没有预警",
        "110105199913010011",
    ],
)
def test_service_numbers_dates_and_document_numbers_stay(text):
    assert mask(text) == text


def test_the_agency_keeps_its_landlines_but_not_a_mobile():
    text = "咨询电话：0571-87654321，值班手机13812345678"

    assert mask(text, Role.OWN) == "咨询电话：0571-87654321，值班手机138****5678"


@settings(max_examples=300)
@given(st.text(alphabet="0123456789０１-— .()@xX一二三八幺电话a\u200b", max_size=60))
def test_masking_keeps_the_length_and_settles_at_once(text):
    once = mask(text)

    assert len(once) == len(text)
    assert mask(once) == once


def test_a_long_text_of_digits_is_masked_in_reasonable_time():
    text = "1 3 8-" * 30_000

    with at_most(2):
        assert len(mask(text)) == len(text)
