"""PostgreSQL and Valkey as children: their data outlives kill -9, their folders do not."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import environ
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from embedded import paths, processes
from embedded.errors import EmbeddedError
from embedded.postgres import PostgresServer
from embedded.server import give_tree
from embedded.services import Services, make_servers, start_services, temporary_services


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with temporary_services() as started:
        yield started


def _cache(services: Services) -> "redis.Redis":
    return redis.Redis.from_url(services.redis_url)


def test_committed_rows_outlive_kill_9_of_postgres_at_the_same_address(services: Services):
    address, pid = services.database_url, services.pids["postgres"]
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")

    services.kill_postgres()
    assert "postgres" not in services.pids
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    services.restart_postgres()

    assert services.database_url == address
    assert services.pids["postgres"] != pid
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_open_connection_does_not_keep_postgres_from_coming_back(services: Services):
    with psycopg.connect(services.database_url) as connection:
        services.kill_postgres()
        services.restart_postgres()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_acknowledged_writes_outlive_kill_9_of_valkey_at_the_same_address(services: Services):
    address = services.redis_url
    entry = _cache(services).xadd("stream", {"field": "value"})

    services.kill_valkey()
    with pytest.raises(redis.ConnectionError):
        _cache(services).ping()
    services.restart_valkey()

    assert services.redis_url == address
    assert _cache(services).xrange("stream") == [(entry, {b"field": b"value"})]


def test_restart_of_running_servers_keeps_their_data(services: Services):
    _cache(services).set("key", "value")

    services.restart_postgres()
    services.restart_valkey()

    assert _cache(services).get("key") == b"value"
    with psycopg.connect(services.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_venues_role_may_make_databases_and_trusted_extensions_but_is_no_superuser(
    services: Services,
):
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE another")
        connection.execute("DROP DATABASE another")
        connection.execute("CREATE EXTENSION btree_gist")
        role = connection.execute("SELECT current_user, current_setting('is_superuser')").fetchone()
    assert role == ("bourse", "off")


def test_servers_want_a_password(services: Services):
    # The wrong password is put in place of the right one, wherever that stands.
    password = services.database_url.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(services.database_url.replace(password, "wrong"))
    port = int(services.redis_url.rpartition(":")[2].removesuffix("/0"))
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port, retry=Retry(NoBackoff(), 0)).ping()


def test_address_is_understood_by_django_environ_as_by_libpq(services: Services):
    parsed = environ.Env.db_url_config(services.database_url)

    expected = psycopg.conninfo.conninfo_to_dict(services.database_url)
    assert parsed["ENGINE"] == "django.db.backends.postgresql"
    assert parsed["NAME"] == expected["dbname"] == "bourse"
    assert str(parsed["PORT"]) == expected["port"]
    assert parsed["PASSWORD"] == expected["password"]
    assert parsed["OPTIONS"]["host"] == expected["host"]
    assert Path(str(expected["host"])).is_relative_to(services.state_dir)


def test_servers_run_as_nobody_else_and_their_files_are_theirs(services: Services):
    expected = processes.server_account(services.state_dir)
    own = os.geteuid() if expected is None else expected.uid
    assert expected is None or own not in {one.pw_uid for one in pwd.getpwall()}
    for name, pid in services.pids.items():
        assert Path(f"/proc/{pid}").stat().st_uid == own
        folder = services.state_dir / name
        assert folder.stat().st_mode & 0o077 == 0
        owners = {path.name: path.lstat().st_uid for path in [folder, *folder.rglob("*")]}
        assert set(owners.values()) <= {own, os.geteuid()}
        assert {uid for path, uid in owners.items() if "password" in path} == {own}
    assert not list(services.state_dir.glob("initdb-*"))


def test_each_state_folder_has_an_account_of_its_own(tmp_path: Path):
    if os.geteuid() != 0:
        assert processes.server_account(tmp_path) is None
        return
    accounts = {processes.server_account(tmp_path / str(number)) for number in range(5)}
    assert len(accounts) > 1
    assert processes.server_account(tmp_path / "0") in accounts


def test_files_of_another_account_are_taken_over():
    """A state folder from when the servers of root ran as `nobody`, or one that was moved."""
    with temporary_services() as first:
        address, folder = first.database_url, first.state_dir
        first.stop()
        before = processes.server_account(folder)
        if before is not None:
            for server in ("postgres", "valkey"):
                give_tree(folder / server, processes.named_account())

        second = start_services(folder, fsync=False)

        assert second.database_url == address
        assert before is None or (folder / "postgres" / "data").stat().st_uid == before.uid
        second.stop()


def test_long_state_path_is_served_by_tcp(tmp_path: Path):
    account = processes.server_account(tmp_path)
    server = PostgresServer(tmp_path / ("long" * 30), account=account)
    server.folder.mkdir()
    (server.folder / "bourse.password").write_text("secret")
    server.port = 23456

    assert server.url() == "postgresql://bourse:secret@127.0.0.1:23456/bourse"


def test_second_start_finds_data_and_addresses_again():
    with temporary_services() as first:
        addresses = (first.database_url, first.redis_url)
        with psycopg.connect(first.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        first.stop()
        assert first.pids == {}

        second = start_services(first.state_dir, fsync=False)

        assert (second.database_url, second.redis_url) == addresses
        with psycopg.connect(second.database_url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
        second.stop()


def test_temporary_folder_is_removed_even_after_an_error():
    with pytest.raises(RuntimeError), temporary_services(postgres=False) as services:
        pid = services.pids["valkey"]
        raise RuntimeError

    assert not services.state_dir.exists()
    assert processes.birth_of(pid) is None


def test_server_that_was_not_asked_for_has_no_address():
    with temporary_services(postgres=False) as services:
        assert list(services.pids) == ["valkey"]
        with pytest.raises(EmbeddedError, match="without postgres"):
            _ = services.database_url


def test_servers_do_not_run_as_root(services: Services):
    for pid in services.pids.values():
        assert os.stat(f"/proc/{pid}").st_uid != 0


def test_data_of_another_postgres_version_is_refused(tmp_path: Path):
    server = make_servers(tmp_path, postgres=True, valkey=False, durable=True)[0]
    (server.folder / "data").mkdir(parents=True)
    (server.folder / "data" / "PG_VERSION").write_text("9\n")

    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 9"):
        server.prepare()


def test_folder_closed_to_others_is_told_from_an_open_one(tmp_path: Path):
    tmp_path.chmod(0o700)

    assert not paths.is_open_to_all(tmp_path)
    assert paths.is_open_to_all(Path("/usr"))
