"""Which addresses webhooks are sent to, and when they are tried again."""

from datetime import timedelta

import pytest

from brokers.calculations import ATTEMPTS_MAX, find_url_problem, is_public_address, retry_wait


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_public_addresses(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "233.252.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "2001:db8::1",
        "192.0.0.8",
        "192.88.99.1",
        "fec0::1",
        "feff::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "4000::1",
        "5f00::1",
        "100::1",
        "::127.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "2001::1",
        "2001:2::1",
        "2001:20::1",
        "2002:808:808::1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public_address(address)


def test_addresses_that_wrap_a_public_one() -> None:
    assert is_public_address("::ffff:8.8.8.8")
    assert is_public_address("64:ff9b::808:808")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com:8443/hook?a=b",
        "http://8.8.8.8/x",
        "https://[2606:4700:4700::1111]/",
        "https://1e100.net/",
        "https://0x7f.example.com/",
        "https://127.1.example.com./",
    ],
)
def test_urls_that_are_taken(url: str) -> None:
    assert find_url_problem(url, allow_private=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://user:secret@example.com/",
        "http://example.com/a b",
        "http://example.com/\r\nX: y",
        "http://exämple.com/",
        "http://example.com\\@10.0.0.1/",
        "http://localhost/",
        "http://api.localhost/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://10.1.2.3:80/",
        "http://[not-an-address]/",
        "http://[fec0::1]/",
        "http://[3fff::1]/",
        "http://2130706433/",
        "http://134744072/",
        "http://0x7f000001/",
        "http://0X7F.1/",
        "http://0x/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://1.2.3/",
        "http://8.8.8.8.8/",
        "http://example.com.1/",
        "http://localhost./",
        "http://LOCALHOST/",
        "https://example.com/" + "a" * 500,
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    assert find_url_problem(url, allow_private=False)


def test_private_urls_are_taken_where_a_deployment_asks_for_them() -> None:
    assert find_url_problem("http://127.0.0.1:8000/", allow_private=True) is None
    assert find_url_problem("http://localhost/", allow_private=True) is None
    assert find_url_problem("ftp://localhost/", allow_private=True)


def test_waits_grow_and_end() -> None:
    waits = [retry_wait(attempts, jitter_percent=0) for attempts in range(1, ATTEMPTS_MAX + 1)]
    assert ATTEMPTS_MAX == 12
    assert waits[:5] == [
        timedelta(seconds=1),
        timedelta(seconds=5),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
    ]
    assert waits[-1] is None
    assert all(wait is not None for wait in waits[:-1])


def test_jitter_only_lengthens() -> None:
    assert retry_wait(2, jitter_percent=25) == timedelta(seconds=6.25)
