"""What users' files are like: each kind of dirt is cleaned as the receipt says, or refused in one line."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal
from pyarrow.feather import write_feather

from stages.common.errors import InputError
from stages.fetch.clean import COLUMNS, PRICES, clean
from stages.fetch.file import formats
from stages.fetch.file.candles import fetch_candles, is_symbol, read_candles
from stages.fetch.params import FetchParams
from stages.fetch.receipt import receipt
from stages.fetch.stage import fetch
from tests.conftest import random_candles
from tests.fetch.conftest import MakeParams
from tests.fetch.file.dirt import (
    N_ROWS,
    SYMBOL,
    WEEK,
    Write,
    arrow,
    binary,
    cell,
    column,
    csv,
    dated,
    decimals,
    extra,
    indexed,
    midnight_bare,
    mixed_offsets,
    mixed_units,
    resampled,
    rows,
    stamped,
    text,
    unix,
    with_times,
)
from tests.refusals import refusal_of


def summary(facts: dict[str, Any]) -> dict[str, Any]:
    """The counts in a symbol's part of the receipt."""
    return {
        "missing": sum(gap["missing_bars"] for gap in facts["gaps"]),
        "broken": len(facts["broken_rows_left_out"]),
        "suspect": len(facts["suspect_rows_kept"]),
        "duplicates": facts["duplicate_rows_dropped"],
        "out_of_order": facts["out_of_order_rows_sorted"],
    }


def missing_times(gap: dict[str, Any]) -> pd.DatetimeIndex:
    """The times of the candles that a gap lacks."""
    return pd.date_range(gap["start"], periods=gap["missing_bars"], freq="h")


LEFT_OUT = {"missing": 1, "broken": 1}
CLEANED: dict[str, tuple[Write, dict[str, int]]] = {
    "clean": (csv, {}),
    "a gap of two days": (lambda c: csv(c.drop(index=range(60, 108))), {"missing": 48}),
    "a late start": (lambda c: csv(c[100:]), {"missing": 100}),
    "an end a few bars early": (lambda c: csv(c[:-5]), {"missing": 5}),
    "newest first": (lambda c: csv(c[::-1]), {"out_of_order": N_ROWS - 1}),
    "a row twice": (lambda c: csv(c.iloc[[*range(50), *range(49, N_ROWS)]]), {"duplicates": 1}),
    "dumps that overlap": (
        lambda c: csv(pd.concat([c[:100], c[80:]]), header=False),
        {"duplicates": 20, "out_of_order": 19},
    ),
    "dumps in another order": (
        lambda c: csv(pd.concat([c[100:], c[:100]]), header=False),
        {"out_of_order": 100},
    ),
    "a bad print": (
        lambda c: csv(c.assign(high=c["high"].where(c.index != 11, 1e6))),
        {"suspect": 1},
    ),
    "an empty cell": (cell("close", ""), LEFT_OUT),
    "a cell of n/a": (cell("volume", "N/A"), LEFT_OUT),
    "a price of 0": (cell("open", 0), LEFT_OUT),
    "a negative price": (cell("low", -1), LEFT_OUT),
    "an infinite price": (cell("high", "inf"), LEFT_OUT),
    "a number too large for a float": (cell("high", "1e400"), LEFT_OUT),
    "a negative volume": (cell("volume", -1), LEFT_OUT),
    "a row off by minutes": (stamped(lambda ms: ms.mask(ms.index == 50, ms + 1_694_789)), LEFT_OUT),
    "a row off by minutes before the window": (
        lambda c: csv(pd.concat([c[:1].assign(open_time=c["open_time"] - pd.Timedelta("28min")), c])),
        {},
    ),
    "a low above the high": (cell("low", 99_999), LEFT_OUT),
    "a byte-order mark": (lambda c: b"\xef\xbb\xbf" + csv(c), {}),
    "a byte-order mark without header": (lambda c: b"\xef\xbb\xbf" + csv(c, header=False), {}),
    "a byte-order mark above a title": (lambda c: b"\xef\xbb\xbfhttps://x.org\n" + csv(c), {}),
    "line ends of Windows": (text(lambda t: t.replace("\n", "\r\n")), {}),
    "line ends of old": (text(lambda t: t.replace("\n", "\r")), {}),
    "empty lines": (rows(lambda r: [*r[:9], "\n", *r[9:], "\n", "\n"]), {}),
    "an empty first line": (rows(lambda r: ["\n", *r]), {}),
    "quoted cells": (lambda c: csv(c.astype(str).assign(open_time=unix(c)), quoting=1), {}),
    "spaces around cells": (text(lambda t: t.replace(",", " , ")), {}),
    "seconds, ms and us": (mixed_units, {}),
    "several offsets": (mixed_offsets, {}),
    "one offset": (dated("%Y-%m-%dT%H:%M:%S%z", "Asia/Tokyo"), {}),
    "no time where it is 00:00": (midnight_bare, {}),
    "more columns": (lambda c: csv(c.assign(note="n/a", close_time=1, vwap=0.5)), {}),
    "times in text without an offset": (dated("%Y-%m-%d %H:%M:%S"), {}),
    "columns that nobody needs twice": (extra(("Plot", 1.0), ("Plot", 2.0), ("plot", 3.0)), {}),
    "columns that nobody needs empty and twice": (extra(("note", ""), ("note", ""), ("", "")), {}),
    "commas behind header and rows": (text(lambda t: t.replace("\n", ",,\n")), {}),
    "commas behind rows alone": (
        rows(lambda r: [r[0], *(line.replace("\n", ",,\n") for line in r[1:])]),
        {},
    ),
    "commas behind the header alone": (rows(lambda r: [r[0].replace("\n", ",,\n"), *r[1:]]), {}),
    "commas behind rows without header": (
        lambda c: csv(c, header=False).replace(b"\n", b",,\n"),
        {},
    ),
    "quoted cells without header": (
        lambda c: csv(c.astype(str).assign(open_time=unix(c)), header=False, quoting=1),
        {},
    ),
    "an index that counts rows": (lambda c: with_times(c, unix(c)).to_csv().encode(), {}),
    "times in an index without a name": (lambda c: indexed(c).to_csv().encode(), {}),
    "times in an index called so": (lambda c: indexed(c, "index").to_csv().encode(), {}),
    "times in an index that was read and written": (
        lambda c: indexed(c, "Unnamed: 0").to_csv().encode(),
        {},
    ),
    "a column of its symbol": (extra(("Symbol", "BTCUSDT")), {}),
    "a column of its symbol, now and then": (extra(("pair", ["BTC/USDT", ""] * (N_ROWS // 2))), {}),
    "two columns of its symbol": (
        extra(("symbol", "btc_usdt"), ("ticker", "BTC-USDT"), ("tic", "BTC")),
        {},
    ),
    "columns in another order": (lambda c: csv(c[COLUMNS[::-1]]), {}),
    "names in capitals with spaces": (
        lambda c: csv(with_times(c, unix(c)).rename(columns=lambda n: f" {n.replace('_', ' ').title()} ")),
        {},
    ),
}


@pytest.mark.parametrize("kind", CLEANED)
def test_dirt_is_cleaned_as_the_receipt_says(make_params: MakeParams, folder: Path, kind: str):
    """What is left are the very candles that the market had, and the receipt counts what was done."""
    write, told = CLEANED[kind]
    (folder / "BTC-USDT.csv").write_bytes(write(WEEK))
    params = make_params(source="file")

    cleaned = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    facts = receipt({SYMBOL: cleaned}, params, has_order=True)["symbols"][SYMBOL]
    counts = summary(facts)
    assert {name: count for name, count in counts.items() if count} == told
    gone = {time for gap in facts["gaps"] for time in missing_times(gap)}
    sound = WEEK[~WEEK["open_time"].isin(gone)].reset_index(drop=True)
    if counts["suspect"]:
        sound.loc[11, "high"] = 1e6
    assert_frame_equal(cleaned.candles, sound, check_exact=True)


BINARY: dict[str, tuple[str, Write]] = {
    "exact decimals": ("parquet", decimals),
    "numbers as text": ("parquet", lambda c: binary(c.astype(dict.fromkeys(PRICES, str)), "parquet")),
    "times of a place": (
        "feather",
        lambda c: binary(with_times(c, c["open_time"].dt.tz_convert("America/New_York")), "feather"),
    ),
    "times in ns": ("parquet", lambda c: binary(with_times(c, c["open_time"].dt.as_unit("ns")), "parquet")),
    "Unix time in ms as text": ("parquet", lambda c: binary(with_times(c, unix(c).astype(str)), "parquet")),
    "Unix time in s as text": (
        "feather",
        lambda c: binary(with_times(c, (unix(c) // 1000).astype(str)), "feather"),
    ),
    "Unix time in ns as text": (
        "parquet",
        lambda c: binary(with_times(c, (unix(c) * 10**6).astype(str)), "parquet"),
    ),
    "Unix time with a point as text": (
        "parquet",
        lambda c: binary(with_times(c, (unix(c) / 1000).astype(str)), "parquet"),
    ),
    "Unix time as text in several units": (
        "feather",
        lambda c: binary(
            with_times(c, [str(ms * 1000 if k % 2 else ms) for k, ms in enumerate(unix(c))]), "feather"
        ),
    ),
    "Unix time and dates in one column of text": (
        "parquet",
        lambda c: binary(
            with_times(
                c,
                [
                    str(time.isoformat() if k % 2 else int(time.timestamp()))
                    for k, time in enumerate(c["open_time"])
                ],
            ),
            "parquet",
        ),
    ),
    "times as bytes": (
        "parquet",
        lambda c: binary(with_times(c, [time.isoformat().encode() for time in c["open_time"]]), "parquet"),
    ),
    "times in an index without a name": ("parquet", lambda c: arrow(indexed(c), "parquet")),
    "times in a feather's index": ("feather", lambda c: arrow(indexed(c), "feather")),
    "its symbol as categories": (
        "parquet",
        lambda c: binary(c.assign(symbol=pd.Series(["BTCUSDT"] * N_ROWS, dtype="category")), "parquet"),
    ),
    "row groups": ("parquet", lambda c: binary(c, "parquet", row_group_size=10)),
    "an index left over": ("parquet", lambda c: binary(c.rename(index=lambda k: 7 * k), "parquet")),
}


@pytest.mark.parametrize("kind", BINARY)
def test_types_dont_matter(make_params: MakeParams, folder: Path, kind: str):
    """However Parquet or feather has times and numbers, the candles are the same to the last bit."""
    suffix, write = BINARY[kind]
    (folder / f"BTC-USDT.{suffix}").write_bytes(write(WEEK))
    params = make_params(source="file")

    cleaned = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    assert_frame_equal(cleaned.candles, WEEK, check_exact=True)
    assert cleaned[1:] == (0, 0, [], [], 0)


@pytest.mark.filterwarnings("ignore:Feather V1 files are deprecated")
def test_feathers_first_version_is_read(make_params: MakeParams, folder: Path):
    """Files of before 2020 are as good, as long as Arrow reads them."""
    whole = binary(with_times(WEEK, unix(WEEK)), "feather", version=1)
    (folder / "BTC-USDT.feather").write_bytes(whole)
    params = make_params(source="file")

    assert_frame_equal(clean(fetch_candles(params)[SYMBOL], SYMBOL, params).candles, WEEK, check_exact=True)


def test_rounding_noise_is_sound(make_params: MakeParams, folder: Path):
    """Prices that lie beyond high and low by what arithmetic leaves behind: every candle is there."""
    rng = np.random.default_rng(1)
    noisy = WEEK.assign(**{name: WEEK[name] + rng.choice([-3e-11, 3e-11], N_ROWS) for name in PRICES})
    (folder / "BTC-USDT.csv").write_bytes(csv(noisy))
    params = make_params(source="file")

    cleaned = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    highest, lowest = noisy[PRICES].max(axis=1), noisy[PRICES].min(axis=1)
    assert_frame_equal(cleaned.candles, noisy.assign(high=highest, low=lowest), check_exact=True)
    assert cleaned.broken == []
    assert cleaned.n_widened == ((noisy["high"] < highest) | (noisy["low"] > lowest)).sum() > 0


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_float32_is_sound(make_params: MakeParams, folder: Path, suffix: str):
    """Prices that lost half their digits are candles all the same, not one of them left out."""
    single = dict.fromkeys([*PRICES, "volume"], "float32")
    (folder / f"BTC-USDT.{suffix}").write_bytes(binary(WEEK.astype(single), suffix))
    params = make_params(source="file")

    cleaned = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    assert_frame_equal(cleaned.candles, WEEK.astype(single).astype(dict.fromkeys(single, "float64")))
    assert cleaned.broken == []


COMMAS = "received: columns that aren't separated by commas: "
CUT = "received: a last line that may be cut short, for it has no line end: "
TIMES = "times in data/import/file/BTC-USDT.csv must be ISO 8601, or Unix time in s, ms, us or ns"
NO_NUMBER = "must be a number; received: could not convert string to float: "
FEW_SOUND = "must have 99% sound rows or more; received "
ONE_A_TIME = "must have one candle a time; received open "
OFF_GRID = f"{FEW_SOUND}168 broken ones of 168, the first open "

REFUSED: dict[str, tuple[Write, str]] = {
    "an end days before fetch.end": (
        lambda c: csv(c[:100]),
        "received 48, while it lacks 68 bars from 2022-01-07T04:00:00+00:00.",
    ),
    "a gap inside": (lambda c: csv(c.drop(index=range(60, 109))), "lacks 49 bars from 2022-01-05T12:00"),
    "a row twice with other values": (
        rows(lambda r: [*r, r[9].rpartition(",")[0] + ",1.5\n"]),
        ONE_A_TIME,
    ),
    "many empty cells": (cell("volume", "", 3, 4), f"{FEW_SOUND}2 broken ones of 168"),
    "an empty column": (
        column("volume", lambda v: v.map(lambda _: "")),
        f"{FEW_SOUND}168 broken ones of 168",
    ),
    "high and low swapped": (
        lambda c: csv(c.rename(columns={"high": "low", "low": "high"})),
        "no price may be below low or above high.",
    ),
    "open, close, high, low without a header": (
        lambda c: csv(c[["open_time", "open", "close", "high", "low", "volume"]], header=False),
        "no price may be below low or above high.",
    ),
    "no volume": (lambda c: csv(c.drop(columns="volume")), "must have columns volume; received "),
    "the close alone": (
        lambda c: csv(c[["open_time", "close"]]),
        "must have columns open, high, low, volume; received open_time, close.",
    ),
    "closing times alone": (
        lambda c: csv(with_times(c, unix(c) + 3_599_999, "close_time")),
        "must have columns open_time; received close_time, ",
    ),
    "date and time apart": (
        lambda c: csv(
            with_times(c, c["open_time"].dt.strftime("%Y-%m-%d"), "date").assign(
                time=c["open_time"].dt.strftime("%H:%M")
            )
        ),
        "must have date and time in one column; received date, open, ",
    ),
    "closing times": (stamped(lambda ms: ms + 3_599_999), OFF_GRID),
    "times off by a few ms": (stamped(lambda ms: ms + 3), OFF_GRID),
    "times off by twenty minutes": (stamped(lambda ms: ms + 1_200_000), OFF_GRID),
    "two rows off by minutes": (
        stamped(lambda ms: ms.mask(ms.index.isin([50, 51]), ms + 1_694_789)),
        f"{FEW_SOUND}2 broken ones of 168, the first open ",
    ),
    "four-hour candles": (lambda c: csv(resampled(c, "4h")), "has a candle every 0 days 04:00:00."),
    "quarter-hour candles": (
        stamped(lambda ms: ms.iloc[0] + (ms - ms.iloc[0]) // 4),
        "has a candle every 0 days 00:15:00.",
    ),
    "daily candles": (lambda c: csv(resampled(c, "1D")), "has a candle every 1 days 00:00:00."),
    "two-hour candles at first": (
        lambda c: csv(pd.concat([resampled(c[:100], "2h"), c[100:]])),
        "has one every 0 days 02:00:00 up to 2022-01-05 00:00:00+00:00.",
    ),
    "dates without times": (dated("%Y-%m-%d"), ONE_A_TIME),
    "times as spreadsheets shorten them": (
        lambda c: csv(with_times(c, unix(c).map(lambda ms: f"{ms:.5E}"))),
        ONE_A_TIME,
    ),
    "times as spreadsheets count them": (
        lambda c: csv(with_times(c, unix(c) / 86_400_000 + 25_569)),
        f"{TIMES}, and have happened once in UTC (fetch.file.timezone); received 44564.0 in row 1.",
    ),
    "days first": (dated("%d/%m/%Y %H:%M"), f"{TIMES}, "),
    "months first": (dated("%m/%d/%Y %H:%M"), "received 01/03/2022 00:00 in row 1."),
    "days first with points": (dated("%d.%m.%Y %H:%M"), "received 03.01.2022 00:00 in row 1."),
    "days first, some of them beyond 12": (
        lambda c: dated("%d/%m/%Y %H:%M")(c.assign(open_time=c["open_time"] + pd.Timedelta("10D"))),
        "received 13/01/2022 00:00 in row 1.",
    ),
    "twelve hours": (dated("%Y-%m-%d %I:%M %p"), "received 2022-01-03 12:00 AM in row 1."),
    "years of two digits": (dated("%y-%m-%d %H:%M"), "received 22-01-03 00:00 in row 1."),
    "times without marks": (dated("%Y%m%d%H%M"), "received 202201030000 in row 1."),
    "hours without marks": (
        dated("%Y%m%d%H"),
        "must lie between 1970 and now; received 2034-01-27 21:31:40+00:00 in row 1.",
    ),
    "a date of the future": (
        rows(lambda r: [*r, r[-1].replace("16417", "56417", 1)]),
        "must lie between 1970 and now; received 2148-",
    ),
    "an empty time": (rows(lambda r: [*r[:-1], "," + r[-1].partition(",")[2]]), "received nan in row 168."),
    "cells emptied by a spreadsheet": (rows(lambda r: [*r, ",,,,,\n"]), "received nan in row 169."),
    "a note at the end": (rows(lambda r: [*r, "Source: somewhere\n"]), "Expected 6 columns, got 1"),
    "a sum at the end": (rows(lambda r: [*r, "Total,,,,,99.5\n"]), f"{TIMES}, "),
    "notes at the top": (rows(lambda r: ["BTC\n", "hourly\n", *r]), COMMAS),
    "a header again in the middle": (rows(lambda r: [*r[:50], r[0], *r[50:]]), f"{TIMES}, "),
    "a header again, and times in text": (
        lambda c: rows(lambda r: [*r[:50], r[0], *r[50:]])(with_times(c, c["open_time"].astype(str))),
        "received open_time in row 50.",
    ),
    "dumps glued without a line end": (
        rows(lambda r: [*r[:50], r[50].rstrip("\n"), *r[50:]]),
        "Expected 6 columns, got 11",
    ),
    "rows of more columns later": (
        rows(lambda r: [*r[:50], *(line.replace("\n", ",0\n") for line in r[50:])]),
        "Expected 6 columns, got 7",
    ),
    "text in a price": (cell("close", "20k"), f"close of BTC/USDT {NO_NUMBER}'20k'."),
    "a page in a cell": (cell("close", "sorry " * 1000), f"{NO_NUMBER}'sorry sorry "),
    "an apostrophe": (cell("open", "'20000.5"), f"open of BTC/USDT {NO_NUMBER}"),
    "a mark of a currency": (column("low", lambda v: "$" + v.map(str)), f"{NO_NUMBER}'$"),
    "volumes in thousands": (cell("volume", "1.2K"), f"volume of BTC/USDT {NO_NUMBER}'1.2K'."),
    "thousands set apart": (column("open", lambda v: v.map("{:,.2f}".format)), f"{NO_NUMBER}'20,000.00'."),
    "thousands set apart without quotes": (
        rows(lambda r: [r[0], *(line.replace(",2", ",2,", 1) for line in r[1:])]),
        "Expected 6 columns, got 7",
    ),
    "something behind the commas of a later row": (
        rows(
            lambda r: [
                r[0],
                *(line.replace("\n", ",x\n" if k == 90 else ",\n") for k, line in enumerate(r[1:])),
            ]
        ),
        "received: rows of more columns than its header names: open_time,open,high,low,close,volume",
    ),
    "a column that is needed twice": (
        extra(("Close", 1.0)),
        "must have each column once, at least close; received open_time, ",
    ),
    "a header of three rows": (
        lambda c: (
            b"Price,Close,High,Low,Open,Volume\nTicker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD\n"
            b"Date,,,,,\n"
            + indexed(c)[["close", "high", "low", "open", "volume"]].to_csv(header=False).encode()
        ),
        "a header of three lines, as yfinance writes it, not of one: Price,Close,",
    ),
    "an index that counts rows and no times": (
        lambda c: c.drop(columns="open_time").to_csv().encode(),
        f"{TIMES}, and have happened once in UTC (fetch.file.timezone); received 0 in row 1.",
    ),
    "another symbol": (
        extra(("symbol", "ETHUSDT")),
        "must have rows of BTC/USDT alone, and so say their symbol; received ETHUSDT in row 1.",
    ),
    "another symbol from a row on": (
        extra(("tic", ["BTC/USDT"] * 100 + ["ETH/USDT"] * 68)),
        "say their tic; received ETH/USDT in row 101.",
    ),
    "another symbol's future": (extra(("Pair", "BTC/USDT:USDT")), "received BTC/USDT:USDT in row 1."),
    "another quote": (extra(("Ticker", "BTC-USD")), "say their ticker; received BTC-USD in row 1."),
    "bytes that aren't UTF-8 in a time": (
        lambda c: csv(with_times(c, c["open_time"].astype(str))).replace(
            b"2022-01-09", b"2022\xff01-09", 1
        ),
        "received 2022\\xff01-09 00:00:00+00:00 in row 145.",
    ),
    "bytes that aren't UTF-8 in a price": (
        lambda c: b"\xe9".join(csv(c).rsplit(b".", 1)),
        "volume of BTC/USDT must be a number; received: 'utf-8' codec can't decode byte 0xe9",
    ),
    "decimal commas": (
        column("open", lambda v: v.map(lambda price: str(price).replace(".", ","))),
        f"{NO_NUMBER}'20000,0'.",
    ),
    "semicolons": (lambda c: csv(c, sep=";"), f"{COMMAS}open_time;open;"),
    "semicolons and decimal commas": (
        lambda c: csv(c, sep=";", decimal=","),
        f"{COMMAS}1641168000000;20000,0;",
    ),
    "semicolons without header": (lambda c: csv(c, sep=";", decimal=",", header=False), COMMAS),
    "tabs": (lambda c: csv(c, sep="\t"), f"{COMMAS}open_time open high "),
    "cut within a number": (lambda c: csv(c)[:-4], CUT),
    "cut within a row": (lambda c: csv(c)[:-40], CUT),
    "cut after a comma": (rows(lambda r: [*r[:-1], r[-1].rpartition(",")[0] + ","]), CUT),
    "cut within the header": (lambda c: csv(c)[:20], CUT),
    "cut at the start": (lambda c: csv(c)[70:], "must hold candles; received: CSV parse error: "),
    "NULs at the end": (lambda c: csv(c) + b"\0" * 4000, CUT),
    "NULs in a number": (cell("close", "20\0\0.5"), f"{NO_NUMBER}'20\\x00\\x00.5'."),
    "NULs in a time": (cell("open_time", "16\0"), f"{TIMES}, "),
    "UTF-16": (lambda c: csv(c).decode().encode("utf-16"), "can't decode byte 0xff"),
    "UTF-16 without a mark": (
        lambda c: csv(c).decode().encode("utf-16-le"),
        "received: text that isn't UTF-8: o\\x00p\\x00",
    ),
    "UTF-32": (lambda c: csv(c).decode().encode("utf-32-le"), "text that isn't UTF-8"),
    "Latin-1": (lambda c: csv(c).replace(b"volume", b"volum\xe9"), "can't decode byte 0xe9"),
    "gzip": (lambda c: gzip.compress(csv(c)), "can't decode byte 0x8b"),
    "Parquet": (lambda c: binary(c, "parquet"), "must hold candles; received: "),
    "feather": (lambda c: binary(c, "feather"), "must hold candles; received: "),
    "JSON": (lambda c: json.dumps(c["open"].tolist()).encode() + b"\n", "must have columns open_time, "),
    "an empty file": (text(lambda _: ""), "must hold candles; received: an empty file."),
    "a header alone": (rows(lambda r: r[:1]), "BTC/USDT has none, nor at any other time: not a row came."),
    "a page that says sorry": (
        text(lambda _: "<!DOCTYPE html>\n<html lang='en'>, sorry</html>\n"),
        "must have columns open_time, open, high, low, close, volume; received <html_lang='en'>, ",
    ),
}


def refusal(params: FetchParams) -> str:
    """What fetch says to the file in this folder: one line that names it, or its symbol."""
    message = refusal_of(lambda: clean(fetch_candles(params)[SYMBOL], SYMBOL, params))
    assert message.isprintable()
    assert len(message) < 700
    assert SYMBOL in message or "BTC-USDT." in message
    return message


@pytest.mark.parametrize("kind", REFUSED)
def test_dirt_is_refused(make_params: MakeParams, folder: Path, kind: str):
    """What could be read wrong isn't read at all: the error says the rule and what arrived."""
    write, expected = REFUSED[kind]
    (folder / "BTC-USDT.csv").write_bytes(write(WEEK))

    message = refusal(make_params(source="file"))

    assert message.startswith("fetch.")
    assert expected in message


@pytest.mark.parametrize(
    ("zone", "phase"), [("Asia/Kolkata", "0 days 00:30:00"), ("Asia/Kathmandu", "0 days 00:45:00")]
)
def test_bars_that_all_open_later_are_told(make_params: MakeParams, folder: Path, zone: str, phase: str):
    """Bars from half past may be a market's own, or local time as if it were UTC: the receipt says so."""
    (folder / "BTC-USDT.csv").write_bytes(dated("%Y-%m-%d %H:%M", zone)(WEEK))
    params = make_params(source="file")

    cleaned = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    assert receipt({SYMBOL: cleaned}, params, has_order=True)["symbols"][SYMBOL]["phase"] == phase
    assert_frame_equal(cleaned.candles[COLUMNS[1:]], WEEK[: len(cleaned.candles)][COLUMNS[1:]])


def test_weeks_may_open_on_thursdays(make_params: MakeParams, folder: Path):
    """As those of exchanges that count them from 1970-01-01."""
    candles = random_candles(40).assign(
        open_time=pd.date_range("2022-01-06", periods=40, freq="7D", tz="UTC", unit="ms")
    )
    (folder / "BTC-USDT.csv").write_bytes(csv(candles))
    params = make_params(source="file", timeframe="1w", end="2022-10-13")

    cleaned = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    assert_frame_equal(cleaned.candles, candles, check_exact=True)
    facts = receipt({SYMBOL: cleaned}, params, has_order=True)["symbols"][SYMBOL]
    assert facts["phase"] == "3 days 00:00:00"
    assert facts["gaps"] == []


def test_a_gap_of_weeks_is_refused(make_params: MakeParams, folder: Path):
    """Three weeks that a download left out are told with their begin, unless the setting admits them."""
    later = WEEK[60:].assign(open_time=WEEK["open_time"] + pd.Timedelta("21D"))
    (folder / "BTC-USDT.csv").write_bytes(csv(pd.concat([WEEK[:60], later])))

    message = refusal(make_params(source="file", end="2022-01-31"))
    assert message.startswith("fetch.max_gap_bars must be at least the longest gap of BTC/USDT")
    assert "while it lacks 504 bars from 2022-01-05T12:00:00+00:00." in message

    params = make_params(source="file", end="2022-01-31", max_gap_bars=504)
    assert len(clean(fetch_candles(params)[SYMBOL], SYMBOL, params).candles) == N_ROWS


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
@pytest.mark.parametrize("kind", ["CSV", "the other format", "half of it"])
def test_a_file_must_be_what_its_name_says(make_params: MakeParams, folder: Path, suffix: str, kind: str):
    """Another format's file, or half of one, is refused by its name."""
    other = "feather" if suffix == "parquet" else "parquet"
    whole = binary(WEEK, suffix)
    half = whole[: len(whole) // 2]
    content = {"CSV": csv(WEEK), "the other format": binary(WEEK, other), "half of it": half}[kind]
    (folder / f"BTC-USDT.{suffix}").write_bytes(content)

    message = refusal(make_params(source="file"))

    assert message.startswith(f"fetch.symbols: data/import/file/BTC-USDT.{suffix} must hold candles; ")


ARROW: dict[str, tuple[str, Any, str]] = {
    "lists": ("close", pa.array([[1.0]] * N_ROWS), "close of BTC/USDT must be a number; received: "),
    "records": (
        "close",
        pa.array([{"bid": 1.0}] * N_ROWS),
        "close of BTC/USDT must be a number; received: ",
    ),
    "dates as prices": (
        "close",
        pa.array([date(2022, 1, 3)] * N_ROWS),
        "close of BTC/USDT must be a number",
    ),
    "what pandas lacks": (
        "close",
        pa.UnionArray.from_sparse(pa.array([0] * N_ROWS, pa.int8()), [pa.array([1] * N_ROWS)]),
        "must hold candles; received: No known equivalent Pandas block",
    ),
    "records as times": ("open_time", pa.array([{"s": 1}] * N_ROWS), "received {'s': 1} in row 1."),
    "lengths of time": (
        "open_time",
        pa.array([5] * N_ROWS, pa.duration("s")),
        "received 0 days 00:00:05 in",
    ),
    "times never set": ("open_time", pa.array([0] * N_ROWS, pa.timestamp("ms")), "between 1970 and now"),
    "times far back": (
        "open_time",
        pa.array([-(2**60)] * N_ROWS, pa.timestamp("s")),
        "between 1970 and now",
    ),
    "times far ahead": ("open_time", pa.array([2**60] * N_ROWS, pa.timestamp("s")), "must be ISO 8601, or"),
    "a place unheard of": (
        "open_time",
        pa.array([10**9] * N_ROWS, pa.timestamp("s", "Mars/Olympus")),
        "must hold candles; received: ",
    ),
}


@pytest.mark.parametrize("kind", ARROW)
def test_other_types_are_refused(make_params: MakeParams, folder: Path, kind: str):
    """Columns of something else than times and numbers end in one line as well."""
    name, values, expected = ARROW[kind]
    table = pa.Table.from_pandas(WEEK.drop(columns=name, errors="ignore"), preserve_index=False)
    write_feather(table.append_column(name, values), folder / "BTC-USDT.feather")

    assert expected in refusal(make_params(source="file"))


@pytest.mark.parametrize("name", ["BTC-USDT.csv.gz", "BTC-USDT.zip", "BTC-USDT.xlsx", "btcusdt.csv"])
def test_another_name_isnt_taken(make_params: MakeParams, folder: Path, name: str):
    """The error says what names a file may have, and what is there."""
    (folder / name).write_bytes(csv(WEEK))

    assert refusal(make_params(source="file")).endswith(f"received {name}.")


def test_two_files_are_refused_whatever_they_hold(make_params: MakeParams, folder: Path):
    """An old file beside a new one: which counts isn't guessed."""
    (folder / "BTC-USDT.csv").write_bytes(csv(WEEK))
    (folder / "BTC-USDT.parquet").write_bytes(b"")

    assert refusal(make_params(source="file")).endswith("received BTC-USDT.csv, BTC-USDT.parquet.")


def autumn() -> pd.DataFrame:
    """Candles of the night in which Berlin's clocks go back."""
    return random_candles(48, start="2022-10-29")


def test_clocks_that_go_back_are_refused(make_params: MakeParams, folder: Path):
    """An hour that happened twice is no one moment; where it was forgotten to say, two candles differ."""
    (folder / "BTC-USDT.csv").write_bytes(dated("%Y-%m-%d %H:%M", "Europe/Berlin")(autumn()))
    window = {"source": "file", "start": "2022-10-29", "end": "2022-10-31"}

    told = refusal(make_params(**window, file={"timezone": "Europe/Berlin"}))
    assert (
        "have happened once in Europe/Berlin (fetch.file.timezone); received 2022-10-30 02:00:00 in row 25."
        in told
    )

    assert ONE_A_TIME in refusal(make_params(**window))


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Asia/Kolkata"])
def test_times_of_a_place_are_read_as_such(make_params: MakeParams, folder: Path, zone: str):
    """With fetch.file.timezone set, a file in local time gives the market's own candles."""
    (folder / "BTC-USDT.csv").write_bytes(dated("%Y-%m-%d %H:%M", zone)(WEEK))
    params = make_params(source="file", file={"timezone": zone})

    cleaned = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    assert_frame_equal(cleaned.candles, WEEK, check_exact=True)


def test_candles_of_the_future_are_refused(make_params: MakeParams, folder: Path):
    """The clock decides: a time that is yet to come was misread, or made up."""
    (folder / "BTC-USDT.csv").write_bytes(csv(WEEK))
    params = make_params(source="file", end="2022-01-09")

    assert len(fetch_candles(params, WEEK["open_time"].iloc[-1])[SYMBOL]) == N_ROWS
    with pytest.raises(InputError, match=r"1970 and now; received 2022-01-09 23:00:00\+00:00 in row 168"):
        fetch_candles(params, WEEK["open_time"].iloc[-2])


def test_a_candle_that_still_forms_is_refused(make_params: MakeParams, folder: Path):
    """Left out, it would be there an hour later, from the same file: so fetch.end must wait for it."""
    (folder / "BTC-USDT.csv").write_bytes(csv(WEEK))
    close = WEEK["open_time"].iloc[-1] + pd.Timedelta("1h")

    for end in ("2022-01-09T23:30", "2022-01-10", "2022-01-10T00:30"):
        params = make_params(source="file", end=end)
        with pytest.raises(InputError) as caught:
            fetch(params, close + pd.Timedelta("59s"))
        assert str(caught.value) == (
            "fetch.end must leave closed candles only, or the same setting means other candles tomorrow; "
            f"received {end}, and the candle before it closes at 2022-01-10T00:00."
        )
        assert len(fetch(params, close + pd.Timedelta("1min")).candles[SYMBOL]) == N_ROWS


def test_a_candle_that_still_forms_behind_the_window_doesnt_matter(make_params: MakeParams, folder: Path):
    """A file that is written to up to now may be used up to any time before."""
    (folder / "BTC-USDT.csv").write_bytes(csv(WEEK))
    params = make_params(source="file", end="2022-01-09T23:00")

    now = WEEK["open_time"].iloc[-1] + pd.Timedelta("1min")

    assert len(fetch(params, now).candles[SYMBOL]) == N_ROWS - 1


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        *(
            (text, "BTC/USDT")
            for text in ("BTCUSDT", "btc/usdt", "BTC-USDT", "BTC_USDT", " BTC/USDT ", "BTC", "")
        ),
        ("BINANCE:BTCUSDT", "BTC/USDT"),
        *(
            (text, "BTC/USDT:USDT")
            for text in ("BTC/USDT:USDT", "BTC-USDT_USDT", "BTCUSDT", "BTC/USDT", "btc")
        ),
        ("币/USDT", "币/USDT"),
    ],
)
def test_a_symbol_may_be_written_in_many_ways(text: str, symbol: str):
    """As exchanges, ccxt and charts write it, in any case."""
    assert is_symbol(text, symbol)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        *(
            (text, "BTC/USDT")
            for text in ("ETHUSDT", "BTCUSD", "USDT", "BTC/USDT:USDT", "BTC/USDT:BTC", "nan", "1")
        ),
        ("ETH/USDT:USDT", "BTC/USDT:USDT"),
        ("币/USDT", "人/USDT"),
    ],
)
def test_another_symbol_is_another(text: str, symbol: str):
    """However alike."""
    assert not is_symbol(text, symbol)


def spark(folder: Path) -> None:
    """The week in a folder of Parquet files, with what Spark leaves beside them."""
    folder.mkdir()
    for number in range(12):  # part.10 and part.11 come last
        part = WEEK[14 * number : 14 * number + 14]
        (folder / f"part.{number}.parquet").write_bytes(binary(part, "parquet"))
    (folder / "_SUCCESS").touch()
    (folder / ".part.0.parquet.crc").write_bytes(b"crc")
    (folder / "_metadata.parquet").write_bytes(b"PAR1")


def test_a_folder_of_parquet_files_is_one_table(make_params: MakeParams, folder: Path):
    """Its parts are read in the order of their numbers, whatever the disk's."""
    spark(folder / "BTC-USDT.parquet")
    params = make_params(source="file")

    cleaned = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    assert_frame_equal(cleaned.candles, WEEK, check_exact=True)
    assert cleaned[1:] == (0, 0, [], [], 0)


@pytest.mark.parametrize(
    "says", ["symbol=BTCUSDT", "Pair=btc%2Fusdt", "symbol=__HIVE_DEFAULT_PARTITION__", "x=1"]
)
def test_a_folder_may_say_whose_its_rows_are(make_params: MakeParams, folder: Path, says: str):
    """As Spark writes a table by its symbol: the column is in the folder's name alone."""
    (folder / "BTC-USDT.parquet").mkdir()
    spark(folder / "BTC-USDT.parquet" / says)

    assert len(fetch_candles(make_params(source="file"))[SYMBOL]) == N_ROWS


@pytest.mark.parametrize("says", ["symbol=ETHUSDT", "PAIR=ETH%2FUSDT", "year=2022/ticker=ETH"])
def test_a_folder_of_another_symbol_is_refused(make_params: MakeParams, folder: Path, says: str):
    """As a row is that says so."""
    (folder / "BTC-USDT.parquet/year=2022").mkdir(parents=True)
    spark(folder / "BTC-USDT.parquet" / says)

    message = refusal(make_params(source="file"))

    assert f"must have rows of {SYMBOL} alone" in message
    assert message.endswith(f"received {says.rpartition('/')[2]}.")


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [("csv", "a folder"), ("feather", "a folder"), ("parquet", "a folder without Parquet files")],
)
def test_another_folder_is_refused(make_params: MakeParams, folder: Path, suffix: str, reason: str):
    """An empty one too, in a line that says what it is."""
    (folder / f"BTC-USDT.{suffix}").mkdir()

    assert refusal(make_params(source="file")).endswith(f"must hold candles; received: {reason}.")


def test_parts_of_other_columns_are_refused(make_params: MakeParams, folder: Path):
    """Each part must have what is needed; types may differ from part to part."""
    spark(folder / "BTC-USDT.parquet")
    whole = WEEK[14:28].astype({"volume": "float32"})
    (folder / "BTC-USDT.parquet/part.1.parquet").write_bytes(binary(whole, "parquet"))
    assert len(fetch_candles(make_params(source="file"))[SYMBOL]) == N_ROWS

    (folder / "BTC-USDT.parquet/part.1.parquet").write_bytes(binary(whole.drop(columns="low"), "parquet"))
    assert "must have columns low; received open_time, " in refusal(make_params(source="file"))


PARQUET_TIMES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "date-times": lambda c: c["open_time"],
    "date-times without a zone": lambda c: c["open_time"].dt.tz_localize(None),
    "ns": lambda c: c["open_time"].dt.as_unit("ns"),
    "Unix time": unix,
}


@pytest.mark.parametrize("kind", PARQUET_TIMES)
def test_only_the_window_of_a_parquet_file_is_read(make_params: MakeParams, folder: Path, kind: str):
    """Row groups of other days may be broken, or many: those with the window's are read, and the ends."""
    path = folder / "BTC-USDT.parquet"
    candles = with_times(WEEK, PARQUET_TIMES[kind](WEEK))
    plain: dict[str, Any] = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    whole = bytearray(binary(candles, "parquet", row_group_size=4, **plain))
    path.write_bytes(whole)
    metadata = pq.ParquetFile(path).metadata
    for group in range(1, 12):  # hours 4 to 48 of 168
        column = metadata.row_group(group).column(1)
        whole[column.data_page_offset + column.total_compressed_size - 4] ^= 1
    path.write_bytes(whole)
    params = make_params(source="file", start="2022-01-07", end="2022-01-08")

    with pytest.raises(InputError, match="CRC"):
        read_candles(path, SYMBOL, "UTC")
    found = fetch_candles(params)[SYMBOL]

    assert len(found) < N_ROWS / 2
    assert found.index[0] == 0
    assert_frame_equal(
        clean(found, SYMBOL, params).candles, WEEK[96:120].reset_index(drop=True), check_exact=True
    )


def test_mixed_units_are_no_reason_to_leave_rows_out(make_params: MakeParams, folder: Path):
    """Where s and ms stand in one column, least and greatest number say nothing of times."""
    mixed = [ms if k % 2 else ms // 1000 for k, ms in enumerate(unix(WEEK))]
    whole = binary(with_times(WEEK, mixed), "parquet", row_group_size=4)
    (folder / "BTC-USDT.parquet").write_bytes(whole)
    params = make_params(source="file", start="2022-01-07", end="2022-01-08")

    found = clean(fetch_candles(params)[SYMBOL], SYMBOL, params)

    assert_frame_equal(found.candles, WEEK[96:120].reset_index(drop=True), check_exact=True)


def test_a_window_without_candles_is_told_where_they_are(make_params: MakeParams, folder: Path):
    """From the first row group to the last, though none of them is in the window."""
    (folder / "BTC-USDT.parquet").write_bytes(binary(WEEK[::-1], "parquet", row_group_size=4))

    told = refusal(make_params(source="file", start="2021-01-01", end="2021-01-08"))

    assert told.endswith("its candles run from 2022-01-03 00:00:00+00:00 to 2022-01-09 23:00:00+00:00.")


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv"])
def test_more_rows_than_a_symbol_has_are_refused(
    make_params: MakeParams, folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
):
    """They are counted before they are read; of Parquet, those of the window alone."""
    monkeypatch.setattr(formats, "MOST_ROWS", 100)
    content = csv(WEEK) if suffix == "csv" else binary(WEEK, suffix)
    (folder / f"BTC-USDT.{suffix}").write_bytes(content)
    told = refusal(make_params(source="file"))
    n_rows = N_ROWS + (suffix == "csv")  # the header
    assert told.endswith(f"received: {n_rows} rows that would have to be read, more than 100.")

    if suffix == "parquet":
        (folder / "BTC-USDT.parquet").write_bytes(binary(WEEK, "parquet", row_group_size=4))
        params = make_params(source="file", start="2022-01-07", end="2022-01-08")
        assert len(clean(fetch_candles(params)[SYMBOL], SYMBOL, params).candles) == 24


def test_a_row_is_named_by_its_place_in_the_file(make_params: MakeParams, folder: Path):
    """Also where the rows before it weren't read."""
    candles = WEEK.assign(symbol=["BTCUSDT"] * 100 + ["ETHUSDT"] + ["BTCUSDT"] * 67)
    (folder / "BTC-USDT.parquet").write_bytes(binary(candles, "parquet", row_group_size=4))

    told = refusal(make_params(source="file", start="2022-01-07", end="2022-01-08"))

    assert told.endswith("received ETHUSDT in row 101.")
