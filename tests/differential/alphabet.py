"""What random rules and random events are made of: one alphabet for both, so that they meet often."""

from __future__ import annotations

from typing import Any

PLAIN = ("a", "b", "c", "ab", "ba", "abc", "A", "aB", "1", "10", "true", "", "x y", "xabx", "a.c")
CASES = ("é", "É", "ß", "ss", "SS", "\u017f", "k", "\u212a", "i", "I", "\u0130", "\u0131", "σ", "ς", "Σ")
MARKS = ("a*b", "a?b", "a\\b", "a\\", "\\", "*", "?", "%", "a_b", "a%b", "a'b", '"', "a\nb", "a\n", "\x00a")
NUMERIC = ("01", "1.0", "1e1", "+1", " 10", "1_0", "0x10", "-1", "\uff11\uff10", "nan", "inf", "-0.0")
ADDRESSES = (
    *("10.0.0.1", "10.0.0.1:443", "10.1.2.3", "192.168.0.1", "::1", "[::1]:80", "2001:db8::1", "10.0.0"),
    *("::ffff:10.0.0.1", "10.0.0.256", "010.0.0.1", "AWS Internal", "10.0.0.1/8", "[2001:db8::2]"),
)
DASHES = ("-enc", "/enc", "\u2013enc", "x -enc", "x /enc y", "\u2014a", "a-b", "-a -b", "/a \u2015b")
TIMES = (
    *("2026-11-23T22:05:00Z", "2026-11-23T23:05:00+01:00", "2026-11-23 22:05:00", "2026-12-31T23:59:59.5Z"),
    *(
        "2027-01-01T00:00:00Z",
        "2026-11-23",
        "2026-02-30T00:00:00Z",
        "22:05",
        "2026-11-23T22:05:00.123456789Z",
    ),
)
NESTED = ('{"p":"a"}', '{"p":1}', "[]", "{}")
TEXTS = PLAIN + CASES + MARKS + NUMERIC + ADDRESSES + DASHES + TIMES + NESTED
NUMBERS: tuple[int | float, ...] = (
    *(0, 1, 10, -1, 1.0, 10.0, 1.5, 0.1, 0.0, -0.0, 2**53, 2**53 + 1, 10**20, 1e16, 1e22, 5e-324),
    *(1795471500, 1795471500000, 1795471500.5, 22, 2026),
)
LIMITS = (0, 1, 10, 1.5, -1, 2**31)
LEAVES: tuple[Any, ...] = (*NUMBERS, True, False, None, float("nan"), float("inf"))
PATHS = ("f", "g", "h", "F", "o", "o.p", "o.q", "o.p.q", "l.p", "l.q.p", "short")
ALIASES = {"short": "o.q", "deep.name": "l.q.p"}
"""A source's own names for fields, as the profile of the events says them."""
NETWORKS = ("10.0.0.0/8", "10.0.0.1/32", "192.168.0.0/23", "::/0", "2001:db8::/33", "0.0.0.0/0", "::1/128")
EXPRESSIONS = (
    *("^a", "b$", "a.c", "[0-9]+", "^$", "a|b$", "(ab)+", "^[^a]*$", "x y", "\\.", "a.b", "^b", "k", "é"),
    *("(a|ab)(c|bcd)", "^.$", "^a?b*c$", "\\\\", "\\x61", "10\\.0", "^(?:a|b)", "\\?", "^\\*$"),
)
PLACEHOLDERS = {"some": ("a", "b*", "10"), "other": ("é", "x y")}
