"""Exchanges that speak otherwise than Binance: the part of each API that ccxt fetches candles through.

What they do here is what ccxt's sources and comments say, and what its users report; none was asked itself.
"""

import json
from bisect import bisect_left, bisect_right
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from tests.conftest import random_candles
from tools.exchange_server import Answer, ExchangeServer, Query, as_json

HOUR_MS = 3_600_000
START = pd.Timestamp("2022-01-03", tz="UTC")
START_MS = START.value // 1_000_000

Row = list[Any]  # time in ms; open, high, low, close, volume as text


class Layout(NamedTuple):
    """A market in hours after START: from when to when there are candles, but those that are missing.

    The candle of hour `end` is still forming.
    """

    first: int
    end: int
    missing: list[int]


class Exchange(ExchangeServer):
    """An exchange with a single market and hourly candles, the last of which is still forming."""

    name = ""
    symbol = "BTC/USDT"
    page = 0  # rows at once
    klines_path = ""
    lists: ClassVar[dict[str, Any]] = {}  # what ccxt reads before it knows the markets
    busy: ClassVar[list[Answer]] = []  # its ways to say that it was asked too fast, or can't just now
    unknown = Answer("")  # for a symbol that it doesn't know

    def __init__(self, market: pd.DataFrame) -> None:
        """`market`: its candles."""
        super().__init__({self.symbol: market})
        [klines] = self.candles.values()
        self.times, self.rows = klines.times, [json.loads(row)[:6] for row in klines.rows]
        self.first_answers: list[Answer] = []
        # The clock's time, half an hour after the last candle opened.
        self.now = pd.Timestamp(self.times[-1] + HOUR_MS // 2, unit="ms", tz="UTC")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def api(self) -> dict[str, Any]:
        """Its addresses, as ccxt names them."""
        return {"public": self.url}

    @property
    def config(self) -> dict[str, Any]:
        """What CCXT_CONFIG's file must hold so that ccxt asks this server, and hardly ever pauses."""
        return {"urls": {"api": self.api}, "rateLimit": 1, "timeout": 5000}

    def answer(self, path: str, query: Query) -> Answer:
        """The answer to one request."""
        self.n_requests += 1
        if path.startswith(self.klines_path):
            self.queries.append(query)
            return self.first_answers.pop() if self.first_answers else self.klines(query)
        found = self.lists.get(path)
        return as_json({"message": f"No {path} here."}, 404) if found is None else as_json(found)

    def between(self, first_ms: float, last_ms: float) -> list[Row]:
        """Rows with first <= time <= last; the one still forming is never the same twice."""
        found = self.rows[bisect_left(self.times, first_ms) : bisect_right(self.times, last_ms)]
        if found and found[-1][0] == self.times[-1]:
            found[-1] = [*found[-1][:5], repr(float(len(self.queries)))]
        return found


def layout_of(page: int) -> Layout:
    """A market that starts in the second page, with gaps inside pages, at seams, and at the window's end.

    One of them is longer than a page.
    """
    step = page - 2
    seam = [*range(3 * step - 2, 3 * step + 1), 4 * step - 1]
    long = [*range(4 * step + 10, 5 * step + 20)]
    end = 5 * step + 40
    return Layout(step + step // 2, end, [2 * step + 5, 2 * step + 6, *seam, *long, end - 1])


def market_of(layout: Layout) -> pd.DataFrame:
    """Its candles."""
    hours = np.setdiff1d(np.arange(layout.first, layout.end + 1), layout.missing)
    table = random_candles(len(hours))
    return table.assign(open_time=(START + pd.to_timedelta(hours, unit="h")).as_unit("ms"))


class Kraken(Exchange):
    """The latest 720 rows alone; `since` is exclusive and in seconds; there is no end to ask for."""

    name, symbol, page = "kraken", "BTC/USD", 720
    klines_path = "/0/public/OHLC"
    lists: ClassVar = {
        "/0/public/Assets": {
            "error": [],
            "result": {
                "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5},
                "ZUSD": {"aclass": "currency", "altname": "USD", "decimals": 4, "display_decimals": 2},
            },
        },
        "/0/public/AssetPairs": {
            "error": [],
            "result": {
                "XXBTZUSD": {
                    "altname": "XBTUSD",
                    "wsname": "XBT/USD",
                    "base": "XXBT",
                    "quote": "ZUSD",
                    "pair_decimals": 1,
                    "lot_decimals": 8,
                    "fees": [[0, 0.4]],
                    "fees_maker": [[0, 0.25]],
                    "status": "online",
                }
            },
        },
    }
    busy: ClassVar = [
        as_json({"error": ["EAPI:Rate limit exceeded"]}),
        as_json({"error": ["EGeneral:Too many requests"]}),
        as_json({"error": ["EService:Unavailable"]}),
    ]
    unknown = as_json({"error": ["EQuery:Unknown asset pair"]})

    def latest(self) -> list[Row]:
        """All that it gives away."""
        return self.between(0, 2**60)[-self.page :]

    def honest_klines(self, query: Query) -> Answer:
        """[time, open, high, low, close, vwap, volume, count] behind `since`, and always the last one."""
        if query["pair"] != "XXBTZUSD" or query["interval"] != "60":
            return self.unknown
        latest = self.latest()
        rows = [row for row in latest if row[0] > 1000 * int(query["since"])] or latest[-1:]
        ohlc = [[row[0] // 1000, *row[1:5], row[4], row[5], 7] for row in rows]
        return as_json({"error": [], "result": {"XXBTZUSD": ohlc, "last": ohlc[-1][0] - 3600}})


class KrakenByTime(Kraken):
    """The latest 720 hours alone: of a market in which some hours have no trades, fewer rows."""

    def latest(self) -> list[Row]:
        """All that it gives away."""
        return self.between(self.times[-1] - (self.page - 1) * HOUR_MS, 2**60)


class Okx(Exchange):
    """300 rows, the newest of those between `before` and `after`, both exclusive; two endpoints."""

    name, page = "okx", 300
    klines_path = "/api/v5/market/"
    lists: ClassVar = {
        "/api/v5/public/instruments": {
            "code": "0",
            "msg": "",
            "data": [
                {
                    "instType": "SPOT",
                    "instId": "BTC-USDT",
                    "baseCcy": "BTC",
                    "quoteCcy": "USDT",
                    "state": "live",
                    "tickSz": "0.1",
                    "lotSz": "0.00000001",
                    "minSz": "0.00001",
                }
            ],
        }
    }
    busy: ClassVar = [
        as_json({"code": "50011", "msg": "Too Many Requests", "data": []}, 429),
        as_json({"code": "50013", "msg": "Systems are busy. Please try again later.", "data": []}, 429),
        as_json({"code": "50004", "msg": "Endpoint request timeout.", "data": []}, 400),
    ]
    unknown = as_json({"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []})

    @property
    def api(self) -> dict[str, Any]:
        """Its addresses, as ccxt names them."""
        return {"rest": self.url}

    def answer(self, path: str, query: Query) -> Answer:
        """The path is part of the question."""
        if path == "/api/v5/public/instruments" and query["instType"] != "SPOT":
            return as_json({"code": "50001", "msg": "Service temporarily unavailable", "data": []}, 503)
        return super().answer(path, {**query, "path": path})

    def honest_klines(self, query: Query) -> Answer:
        """[time, open, high, low, close, volume, two more volumes, "1" if closed], newest first."""
        if query["instId"] != "BTC-USDT" or query["bar"] != "1H":
            return self.unknown
        rows = self.between(int(query["before"]) + 1, int(query["after"]) - 1)
        if query["path"].endswith("/candles"):
            rows = [row for row in rows if row[0] > self.times[-1] - 1440 * HOUR_MS]
        elif not query["path"].endswith("/history-candles"):
            return as_json({"code": "404", "msg": "Not found", "data": []}, 404)
        rows = rows[-min(int(query["limit"]), self.page) :][::-1]
        data = [[str(row[0]), *row[1:], "0", "0", "1"] for row in rows]
        return as_json({"code": "0", "msg": "", "data": data})


class Coinbase(Exchange):
    """Objects, newest first; `start` and `end` are inclusive and in seconds, and 350 bars apart at most."""

    name, symbol, page = "coinbase", "BTC/USD", 300
    klines_path = "/api/v3/brokerage/market/products/BTC-USD/candles"
    lists: ClassVar = {
        "/v2/currencies": {"data": [{"id": "USD", "name": "US Dollar", "min_size": "0.01"}]},
        "/v2/currencies/crypto": {"data": [{"asset_id": "5b71", "code": "BTC", "name": "Bitcoin"}]},
        "/v2/exchange-rates": {"data": {"currency": "USD", "rates": {"BTC": "0.00002"}}},
        "/api/v3/brokerage/market/products": {
            "products": [
                {
                    "product_id": "BTC-USD",
                    "base_currency_id": "BTC",
                    "quote_currency_id": "USD",
                    "base_increment": "0.00000001",
                    "quote_increment": "0.01",
                    "product_type": "SPOT",
                    "trading_disabled": False,
                    "alias_to": [],
                }
            ],
            "num_products": 1,
        },
    }
    busy: ClassVar = [
        as_json({"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}, 429),
        Answer("Rate limit exceeded", 429, "text/plain"),
    ]
    unknown = as_json({"error": "NOT_FOUND", "error_details": "valid product_id is required"}, 404)

    @property
    def api(self) -> dict[str, Any]:
        """Its addresses, as ccxt names them."""
        return {"rest": self.url}

    def answer(self, path: str, query: Query) -> Answer:
        """The same path lists futures, of which there are none."""
        if query.get("product_type") == "FUTURE":
            return as_json({"products": [], "num_products": 0})
        return super().answer(path, query)

    def honest_klines(self, query: Query) -> Answer:
        """{start, low, high, open, close, volume}, newest first; a range too long is refused."""
        if query["granularity"] != "ONE_HOUR":
            return self.unknown
        first, last = (1000 * int(query[key]) for key in ("start", "end"))
        if last - first >= 350 * HOUR_MS:
            message = "number of candles requested should be less than 350"
            return as_json({"error": "INVALID_ARGUMENT", "error_details": message}, 400)
        names = ("start", "open", "high", "low", "close", "volume")
        rows = [[str(row[0] // 1000), *row[1:]] for row in self.between(first, last)]
        return as_json({"candles": [dict(zip(names, row, strict=True)) for row in rows[::-1]]})


class Bybit(Exchange):
    """1000 rows, the newest of those from `start` to `end`, both inclusive."""

    name, page = "bybit", 1000
    klines_path = "/v5/market/kline"
    lists: ClassVar = {
        "/v5/market/instruments-info": {
            "retCode": 0,
            "retMsg": "OK",
            "result": {
                "category": "spot",
                "list": [
                    {
                        "symbol": "BTCUSDT",
                        "baseCoin": "BTC",
                        "quoteCoin": "USDT",
                        "status": "Trading",
                        "marginTrading": "both",
                        "lotSizeFilter": {"basePrecision": "0.000001", "quotePrecision": "0.00000001"},
                        "priceFilter": {"tickSize": "0.01"},
                    }
                ],
            },
            "retExtInfo": {},
            "time": 1672712468011,
        }
    }
    busy: ClassVar = [
        as_json({"retCode": 10006, "retMsg": "Too many visits!", "result": {}, "time": 1}),
        as_json({"retCode": 10018, "retMsg": "Exceeded the IP Rate Limit.", "result": {}, "time": 1}),
        Answer("403, access too frequent", 403, "text/plain"),
    ]
    unknown = as_json({"retCode": 10001, "retMsg": "Not supported symbols", "result": {}, "time": 1})

    def answer(self, path: str, query: Query) -> Answer:
        """Lists the spot markets alone."""
        if path == "/v5/market/instruments-info" and query["category"] != "spot":
            return as_json({"retCode": 10016, "retMsg": "Server error.", "result": {}}, 503)
        return super().answer(path, query)

    def honest_klines(self, query: Query) -> Answer:
        """[time, open, high, low, close, volume, turnover], newest first."""
        if (query["category"], query["symbol"], query["interval"]) != ("spot", "BTCUSDT", "60"):
            return self.unknown
        rows = self.between(int(query["start"]), int(query["end"]))[-min(int(query["limit"]), self.page) :]
        result = {"symbol": "BTCUSDT", "list": [[str(row[0]), *row[1:], "0"] for row in rows[::-1]]}
        return as_json({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1})


class Gate(Exchange):
    """1000 rows from `from` to `to`, both inclusive and in seconds; none of more than 10,000 bars ago."""

    name, page = "gate", 1000
    points, words = 10_000, "Candlestick too long ago. Maximum 10000 points recently are allowed"
    klines_path = "/spot/candlesticks"
    lists: ClassVar = {
        "/spot/currencies": [{"currency": "BTC", "name": "Bitcoin", "delisted": False}],
        "/margin/currency_pairs": [],
        "/spot/currency_pairs": [
            {
                "id": "BTC_USDT",
                "base": "BTC",
                "quote": "USDT",
                "fee": "0.2",
                "amount_precision": 6,
                "precision": 1,
                "trade_status": "tradable",
                "buy_start": 0,
            }
        ],
    }
    busy: ClassVar = [
        as_json({"label": "TOO_MANY_REQUESTS", "message": "Request Rate limit Exceeded"}, 429),
        as_json({"label": "TOO_FAST", "message": "Slow down"}, 400),
        as_json({"label": "TOO_BUSY", "message": "Busy"}, 503),
        as_json({"label": "SERVER_ERROR", "message": "Internal Error"}, 500),
    ]
    unknown = as_json({"label": "INVALID_CURRENCY_PAIR", "message": "Invalid currency pair BTC_USDT"}, 400)

    @property
    def api(self) -> dict[str, Any]:
        """Its addresses, as ccxt names them."""
        return {"public": {"spot": self.url, "margin": self.url}}

    def invalid(self, message: str) -> Answer:
        """The refusal of a parameter."""
        return as_json({"label": "INVALID_PARAM_VALUE", "message": message}, 400)

    def honest_klines(self, query: Query) -> Answer:
        """[time, turnover, close, high, low, open, volume, whether closed]."""
        if (query["currency_pair"], query["interval"]) != ("BTC_USDT", "1h"):
            return self.unknown
        if "limit" in query:
            return self.invalid("Invalid request parameter `limit`: it conflicts with `from` and `to`")
        first, last = (1000 * int(query[key]) for key in ("from", "to"))
        if first < self.times[-1] - self.points * HOUR_MS:
            return self.invalid(self.words)
        if last - first >= self.page * HOUR_MS:
            return self.invalid("Candlestick range too broad. Maximum 1000 data points are allowed")
        rows = self.between(first, last)
        return as_json([[str(t // 1000), "0", c, h, low, o, v, "true"] for t, o, h, low, c, v in rows])


class Bitstamp(Exchange):
    """1000 objects from `start` to `end`, both inclusive and in seconds."""

    name, symbol, page = "bitstamp", "BTC/USD", 1000
    klines_path = "/v2/ohlc/"
    lists: ClassVar = {
        "/v2/markets/": [
            {
                "name": "BTC/USD",
                "market_symbol": "btcusd",
                "base_currency": "BTC",
                "base_decimals": 8,
                "counter_currency": "USD",
                "counter_decimals": 0,
                "minimum_order_value": "10",
                "trading": "Enabled",
                "description": "Bitcoin / U.S. dollar",
                "market_type": "SPOT",
            }
        ]
    }
    busy: ClassVar = [
        as_json({"status": "error", "reason": "Request rejected due to exceeded rate limit."}, 400),
        as_json({"status": "error", "reason": "Try again later.", "code": "400.002"}, 429),
        as_json({"error": "Bitstamp.net is under scheduled maintenance. We'll be back soon."}, 503),
    ]
    unknown = Answer("", 404)

    def honest_klines(self, query: Query) -> Answer:
        """The first of the rows."""
        if query["step"] != "3600":
            return self.unknown
        rows = self.between(1000 * int(query["start"]), 1000 * int(query["end"]))[: int(query["limit"])]
        names = ("timestamp", "open", "high", "low", "close", "volume")
        ohlc = [dict(zip(names, [str(row[0] // 1000), *row[1:]], strict=True)) for row in rows]
        return as_json({"data": {"pair": "BTC/USD", "ohlc": ohlc}})


class KuCoin(Exchange):
    """1500 rows, the newest of those from `startAt` to `endAt`, in seconds."""

    name, page = "kucoin", 1500
    end_is_inclusive = False
    klines_path = "/api/v1/market/candles"
    lists: ClassVar = {
        "/api/v3/currencies": {"code": "200000", "data": [{"currency": "BTC", "chains": []}]},
        "/api/v1/market/allTickers": {"code": "200000", "data": {"time": 1, "ticker": []}},
        "/api/v2/symbols": {
            "code": "200000",
            "data": [
                {
                    "symbol": "BTC-USDT",
                    "baseCurrency": "BTC",
                    "quoteCurrency": "USDT",
                    "baseIncrement": "0.00000001",
                    "priceIncrement": "0.1",
                    "enableTrading": True,
                    "isMarginEnabled": True,
                }
            ],
        },
    }
    busy: ClassVar = [
        as_json({"code": "429000", "msg": "Too Many Requests"}, 429),
        as_json({"code": "500000", "msg": "Internal Server Error"}, 500),
    ]
    unknown = as_json({"code": "400100", "msg": "Unsupported trading pair."}, 400)

    def honest_klines(self, query: Query) -> Answer:
        """[time, open, close, high, low, volume, turnover], newest first."""
        if (query["symbol"], query["type"]) != ("BTC-USDT", "1hour"):
            return self.unknown
        first, last = (1000 * int(query[key]) for key in ("startAt", "endAt"))
        rows = self.between(first, last - (not self.end_is_inclusive))[-self.page :]
        data = [[str(t // 1000), o, c, h, low, v, "0"] for t, o, h, low, c, v in rows[::-1]]
        return as_json({"code": "200000", "data": data})


class KuCoinInclusive(KuCoin):
    """The end belongs to it: one row too many, of which the oldest is left out."""

    end_is_inclusive = True


class Bitfinex(Exchange):
    """10,000 rows from `start` to `end`, both inclusive; all its errors have status 500."""

    name, symbol, page = "bitfinex", "BTC/USD", 10_000
    klines_path = "/v2/candles/trade:1h:tBTCUSD/hist"
    busy: ClassVar = [
        as_json(["error", 11010, "ratelimit: error"], 500),
        as_json({"error": "ERR_RATE_LIMIT"}, 429),
        as_json(["error", 20060, "maintenance"], 500),
    ]
    unknown = as_json(["error", 10020, "symbol: invalid"], 500)

    def answer(self, path: str, query: Query) -> Answer:
        """One path of a length beyond measure lists currencies, another one pairs."""
        if path.startswith("/v2/conf/pub:list:currency"):
            return as_json([["BTC", "USD"], *[[]] * 10])
        if path.startswith("/v2/conf/pub:info:pair"):
            return as_json([[["BTCUSD", [None, None, None, "0.00004", "2000"]]], [], [], []])
        return super().answer(path, query)

    def honest_klines(self, query: Query) -> Answer:
        """[time, open, close, high, low, volume], the first of the rows."""
        assert query["sort"] == "1"
        rows = self.between(int(query["start"]), int(query["end"]))[: int(query["limit"])]
        return as_json([[t, *map(float, (o, c, h, low, v))] for t, o, h, low, c, v in rows])


class BitoPro(Exchange):
    """Objects from `from` to `to`, both inclusive and in seconds; to ccxt, a gap is full of candles."""

    name, symbol, page = "bitopro", "BTC/TWD", 1000
    klines_path = "/trading-history/btc_twd"
    lists: ClassVar = {
        "/provisioning/currencies": {"data": [{"currency": "btc", "withdraw": True, "deposit": True}]},
        "/provisioning/trading-pairs": {
            "data": [
                {
                    "pair": "btc_twd",
                    "base": "btc",
                    "quote": "twd",
                    "basePrecision": "8",
                    "quotePrecision": "0",
                    "maintain": False,
                }
            ]
        },
    }
    busy: ClassVar = [
        as_json({"error": "Slow down"}, 429),
        as_json({"error": "Something went wrong"}, 500),
    ]
    unknown = as_json({"error": "Invalid trading pair"}, 400)

    @property
    def api(self) -> dict[str, Any]:
        """Its addresses, as ccxt names them."""
        return {"rest": self.url}

    def honest_klines(self, query: Query) -> Answer:
        """{timestamp in ms, open, high, low, close, volume}."""
        rows = self.between(1000 * int(query["from"]), 1000 * int(query["to"]))[: self.page]
        names = ("timestamp", "open", "high", "low", "close", "volume")
        return as_json({"data": [dict(zip(names, row, strict=True)) for row in rows]})
