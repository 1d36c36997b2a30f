"""Whatever a broker says of its cluster, nothing is raised, and only addresses come of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.news import MOST, News, Place, read_news
from transport.servers import server_url

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
URL = st.text() | st.builds("{}:{}".format, st.text(max_size=9) | st.ip_addresses(), st.integers(-1, 70_000))


@given(st.binary() | st.builds(orjson.dumps, JSON))
def test_any_bytes_are_news_or_none(text: bytes):
    assert isinstance(read_news(text), News)


@given(st.lists(JSON | URL, max_size=50), JSON)
def test_any_urls_are_places_that_can_be_tried(urls: list[Any], lame: Any):
    news = read_news(orjson.dumps({"connect_urls": urls, "ldm": lame}))
    assert news.lame == (lame is True)
    assert len(news.places) <= MOST
    for place in news.places:
        assert server_url(place.url) == place.url.lower()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("10.0.0.1:4222", Place("10.0.0.1", 4222)),
        ("b.example.net:1", Place("b.example.net", 1)),
        ("[::1]:4222", Place("::1", 4222)),
        ("nats://b:4222", None),
        ("u:p@b:4222", None),
        ("b", None),
        ("b:0", None),
        ("b:65536", None),
        ("[b]:4222", None),
        ("::1:4222", None),
        ("b c:4222", None),
        ("b\r\n:4222", None),
        ("", None),
        (7, None),
    ],
)
def test_what_is_a_place(url: object, place: Place | None):
    assert read_news(orjson.dumps({"connect_urls": [url]})).places == ((place,) if place else ())


def test_a_flood_of_urls_is_cut():
    urls = [f"b{at}:4222" for at in range(1000)]
    assert len(read_news(orjson.dumps({"connect_urls": urls})).places) == MOST
