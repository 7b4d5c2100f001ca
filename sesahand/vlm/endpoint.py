"""Where a server is, told apart strictly: what a URL says must be what a socket will reach."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import SesaHandError

# Of a path, what is no longer than this between two slashes is no key.
LONGEST_PART = 19
DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True)
class Endpoint:
    """A server's address, normalized: equal endpoints are the same machine, port and path.

    Attributes:
        scheme: "http" or "https".
        host: Lower-case name without a final dot, or an IP address in its canonical form.
        port: TCP port.
        path: Path below which the API lies, without a final slash.
    """

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, base_url: str) -> "Endpoint":
        """Read a base URL such as `https://api.example.com/v1`; without a path `/v1` is meant, and
        `/chat/completions` at its end is left out.

        Raises:
            SesaHandError: Not such a URL, or one that can be read in two ways. The message never repeats the URL,
                because people paste keys into URLs.
        """
        if not isinstance(base_url, str) or not re.fullmatch(r"[\x21-\x7e]{1,2000}", base_url) or "\\" in base_url:
            raise SesaHandError(
                "The base URL must be plain ASCII without spaces or backslashes, for example http://127.0.0.1:11434/v1 "
                "(write an international name in its xn-- form)."
            )
        try:
            parts = urlsplit(base_url)
            port = parts.port
        except ValueError:
            raise SesaHandError(
                "The base URL has no valid host and port; write it like http://127.0.0.1:1234/v1"
            ) from None
        if parts.scheme not in DEFAULT_PORTS:
            raise SesaHandError(
                "The base URL must begin with http:// (a server on this machine, such as http://localhost:11434/v1) or "
                "https://"
            )
        if "@" in parts.netloc:
            raise SesaHandError("The base URL must not hold a user name or password ('@'); use a credential instead.")
        if "?" in base_url or "#" in base_url:
            raise SesaHandError("The base URL must not hold '?' or '#': keys belong in the credentials file.")
        host = canonical_host(parts.hostname or "")
        if port == 0:
            raise SesaHandError("The base URL names port 0, which no server has: write the port of yours.")
        # People copy the address of the requests themselves.
        path = parts.path.rstrip("/").removesuffix("/chat/completions")
        return cls(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path or "/v1")

    @property
    def parts_like_keys(self) -> list[str]:
        """What of the path is as long as a key and has letters and digits: a key, or an account's number."""
        parts = [part for part in self.path.split("/") if len(part) > LONGEST_PART]
        return [part for part in parts if re.search("[A-Za-z]", part) and re.search("[0-9]", part)]

    @property
    def is_loopback(self) -> bool:
        """Whether this is the machine itself by name or number; the connection is checked again when it is made."""
        return is_this_machine(self.host)

    @property
    def address(self) -> str:
        """`host:port`, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def canonical_host(host: str) -> str:
    """One spelling per host: lower case, no final dot, IP addresses in canonical form.

    Raises:
        SesaHandError: Neither a host name nor an address; also addresses in the odd forms that only some resolvers take
            (2130706433, 0x7f.1, 127.1), since two parts of a program can understand them differently.
    """
    host = host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        numeric = re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1])
        if not numeric and len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels):
            return host
        raise SesaHandError(
            "The host of the base URL must be a name such as api.example.com, four decimal numbers such as 127.0.0.1, "
            "or an IPv6 address in brackets such as [::1]."
        ) from None
    if getattr(address, "scope_id", None):
        raise SesaHandError("IPv6 addresses with a zone (%) are not supported; use the server's name.")
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_this_machine(host: str) -> bool:
    """Whether a canonical host is this machine, which has many: localhost, 127.0.0.0/8 and ::1."""
    return host == "localhost" or is_address(host, "is_loopback")


def parse_host_entry(entry: str) -> tuple[str, int | None]:
    """Read `name`, `name:port`, `1.2.3.4:port` or `[::1]:port` as it stands in the credentials file.

    Returns:
        Canonical host, and the port or None for the usual one of the scheme.
    """
    matched = re.fullmatch(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:/@\[\]]+))(?::(?P<port>\d{1,5}))?", entry)
    if matched is None or (matched["port"] and not 0 < int(matched["port"]) < 65536):
        raise SesaHandError(
            "A host is written as name, name:port, address:port or [IPv6]:port, without http:// or a path."
        )
    return canonical_host(matched["six"] or matched["name"]), int(matched["port"]) if matched["port"] else None


def is_address(host: str, kind: str) -> bool:
    """Whether the text is an IP address for which the named property of `ipaddress` holds, such as "is_loopback"."""
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    return bool(getattr(getattr(address, "ipv4_mapped", None) or address, kind))
