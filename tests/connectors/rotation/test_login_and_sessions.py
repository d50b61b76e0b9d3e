"""What a login says, by the server's own SQLSTATE, and what the observer sees and ends."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Iterator

import psycopg
import pytest
from pydantic import SecretStr

from config.response import DatabaseProbe
from config.secret import Secret
from connectors.rotation.login import Login, try_login
from connectors.rotation.sessions import Observer, ObserverAwayError
from connectors.vault.secret_text import SecretText

pytestmark = pytest.mark.integration


def test_the_right_password_is_accepted(scene):
    target = scene.target()
    assert try_login(target.probe, target.login, SecretText(scene.served(target)), 2.0) == Login(
        "accepted", "00000"
    )


@pytest.mark.parametrize("password", ["wrong", "", "a" * 10_000, "quote's \\ and \" spaces", "ünïcode"])
def test_a_wrong_password_is_refused_with_28p01(scene, password):
    target = scene.target()
    assert try_login(target.probe, target.login, SecretText(password), 2.0).verdict in (
        "refused",
        "unanswered",
    )
    if password:
        assert try_login(target.probe, target.login, SecretText(password), 2.0).code == "28P01"


def test_a_user_that_may_not_log_in_is_refused_with_28000(scene):
    target = scene.target()
    scene.execute(f"ALTER ROLE {target.login} NOLOGIN")
    password = SecretText(scene.served(target))
    assert try_login(target.probe, target.login, password, 2.0) == Login("refused", "28000")


def test_a_database_that_is_not_there_is_no_refusal(scene):
    target = scene.target()
    probe = target.probe.model_copy(update={"dbname": "nowhere"})
    answer = try_login(probe, target.login, SecretText(scene.served(target)), 2.0)
    assert answer == Login("unanswered", "3D000")


def test_too_many_connections_is_no_refusal(scene):
    target = scene.target()
    scene.execute(f"ALTER ROLE {target.login} CONNECTION LIMIT 0")
    answer = try_login(target.probe, target.login, SecretText(scene.served(target)), 2.0)
    assert answer == Login("unanswered", "53300")


def test_a_closed_port_is_no_refusal():
    answer = try_login(DatabaseProbe(port=1, sslmode="disable"), "x", SecretText("y"), 1.0)
    assert answer == Login("unanswered", "connection")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []
        stop = threading.Event()

        def accept() -> None:
            server.settimeout(0.05)
            while not stop.is_set():
                try:
                    held.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        stop.set()
        thread.join()
        for one in held:
            one.close()


def test_a_server_that_says_nothing_is_a_timeout(silent_port):
    answer = try_login(DatabaseProbe(port=silent_port, sslmode="disable"), "x", SecretText("y"), 0.3)
    assert answer == Login("unanswered", "timeout")


def test_a_server_that_pretends_to_refuse_in_a_name_is_not_believed(scene):
    target = scene.target()
    liar = 'x" C "28P01'
    probe = target.probe.model_copy(update={"dbname": liar})
    answer = try_login(probe, target.login, SecretText(scene.served(target)), 2.0)
    assert answer == Login("unanswered", "3D000")


def observer(target) -> Observer:
    return Observer(target.probe, 5.0)


def test_only_sessions_from_before_the_cut_are_ended(scene):
    target = scene.target()
    old = scene.login(target, scene.served(target))
    watch = observer(target)
    cut = watch.clock()
    new = scene.login(target, scene.served(target))
    assert watch.end_sessions(target.login, cut) == 1
    with pytest.raises(psycopg.OperationalError):
        old.execute("select 1")
    assert new.execute("select 1").fetchone() == (1,)
    assert watch.count_sessions(target.login, cut) == 0
    new.close()


def test_an_observer_that_may_not_see_the_start_ends_them_all(scene):
    target = scene.target()
    scene.execute("CREATE ROLE narrow LOGIN PASSWORD 'narrow'; GRANT pg_signal_backend TO narrow")
    narrow = target.probe.model_copy(
        update={"observer": "narrow", "observer_password": Secret(value=SecretStr("narrow"))}
    )
    held = scene.login(target, scene.served(target))
    watch = Observer(narrow, 5.0)
    assert watch.may_end_sessions()
    assert watch.end_sessions(target.login, 0.0) == 1
    with pytest.raises(psycopg.OperationalError):
        held.execute("select 1")


def test_an_observer_error_carries_no_password(scene):
    target = scene.target()
    wrong = Secret(value=SecretStr("kanari-observer"))
    watch = Observer(target.probe.model_copy(update={"observer_password": wrong}), 5.0)
    with pytest.raises(ObserverAwayError) as error:
        watch.clock()
    assert error.value.__context__ is None
    shown = "".join(traceback.TracebackException.from_exception(error.value, capture_locals=True).format())
    assert "kanari-observer" not in shown.replace('SecretStr("kanari-observer")', "")
