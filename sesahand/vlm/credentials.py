"""Keys for remote models: named in a workflow, kept in the user's own file or environment, bound to their hosts.

The file is JSON, one entry per name:

    {
      "openai":  {"hosts": ["api.openai.com"], "env": "OPENAI_API_KEY"},
      "office":  {"hosts": ["vlm.example.com:8443"], "key": "..."},
      "den":     {"hosts": ["192.168.1.20:11434"], "allow_http": true},
      "here":    {"hosts": ["127.0.0.1:11434", "localhost:11434"], "models": ["qwen2.5vl:7b"]}
    }

`hosts` is what pictures may be sent to at all, and what the key may be sent to. An entry without key or env only allows
its hosts. `allow_http` permits plain HTTP inside a private network, for entries without a key. `models` says which
models may be asked there; it holds for this machine too, whose servers need no entry otherwise. An Ollama that is
signed in forwards what models named "...-cloud" are asked to its maker, so those need an entry that names them.
"""

import json
import logging
import os
import re
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError, quote
from .endpoint import DEFAULT_PORTS, Endpoint, is_this_machine, parse_host_entry

logger = logging.getLogger(__name__)

FIELDS = {"hosts", "key", "env", "allow_http", "models"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,23}")
"""Shorter than a key, so that a key pasted in the place of a name is noticed."""


def is_forwarded(model: str) -> bool:
    """Tell whether Ollama has a model of this name answered elsewhere: "...-cloud" or "cloud" in a part of it."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKC", model) if letter.isprintable() and letter != " ")
    parts = re.split(r"[^\w.-]+", plain.casefold())
    return any(part == "cloud" or part.endswith("-cloud") for part in parts)


def default_credentials_path() -> Path:
    """`$XDG_CONFIG_HOME/sesahand/credentials.json`, `~/.config/...` where the variable is not set."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "sesahand" / "credentials.json"


@dataclass(frozen=True)
class CredentialFile:
    """Where credentials are looked up, each time anew; holds paths, never a key.

    Attributes:
        paths: Files to try; the first that exists is the one.
    """

    paths: tuple[Path, ...]

    @classmethod
    def default(cls) -> "CredentialFile":
        return cls((default_credentials_path(),))

    @property
    def path(self) -> Path:
        """The file in use, or the one to create."""
        return next((path for path in self.paths if path.is_file()), self.paths[0])

    def names(self) -> list[str]:
        """The names of the entries, sorted; empty when there is no file."""
        return sorted(self._read())

    def names_host_of(self, endpoint: Endpoint) -> bool:
        """Tell whether an entry is for the host of an endpoint, whatever may be asked there."""
        return any(entry.covers(endpoint) for entry in self._read().values())

    def check_name(self, name: str) -> None:
        """Refuse a text that names no entry, such as a pasted key, which the message does not repeat.

        Raises:
            SesaHandError: It is no entry's name.
        """
        self._named(self._read(), name)

    def authorize(self, endpoint: Endpoint, name: str = "", model: str = "") -> str:
        """Decide whether anything may be sent to an endpoint, and with which key.

        Args:
            endpoint: Where to.
            name: The entry to use; empty for none, which loopback and allowed hosts take.
            model: The model that is to be asked there.

        Returns:
            The key, or an empty text for none.

        Raises:
            SesaHandError: The host is not allowed, or the key does not belong to it, or it would travel in the clear.
        """
        entries = self._read()
        self._check_model(entries, endpoint, model)
        if name:
            entry = self._named(entries, name)
            if not entry.covers(endpoint):
                raise SesaHandError(
                    f"The credential {name!r} is bound to {', '.join(entry.hosts)} and is not sent to "
                    f"{endpoint.address}. Choose another credential, or add the host to this one in {self.path}."
                )
        elif endpoint.is_loopback:
            return ""
        else:
            covering = [entry for entry in entries.values() if entry.covers(endpoint)]
            if not covering:
                raise SesaHandError(
                    f"{endpoint.address} is not allowed, so nothing was sent to it: a workflow from elsewhere must not "
                    f"be able to send your pictures away. If you trust the host, add an entry to {self.path}, for "
                    f'example {{"my-server": {{"hosts": ["{endpoint.address}"]}}}}.'
                )
            entry = next((entry for entry in covering if entry.allow_http), covering[0])
        key = entry.key() if name else ""
        if endpoint.scheme == "http" and not endpoint.is_loopback and (key or not entry.allow_http):
            raise SesaHandError(
                f"{endpoint.address} would be reached in the clear: use https:// for any host but this machine. (An "
                'entry without a key can say "allow_http": true for a host of a private network.)'
            )
        return key

    def _check_model(self, entries: dict[str, "_Entry"], endpoint: Endpoint, model: str) -> None:
        """Refuse a model that the entries for its host do not name, or one that leaves this machine unnamed."""
        naming = [entry for entry in entries.values() if entry.models and entry.reaches(endpoint)]
        if any(model in entry.models for entry in naming):
            return
        if naming:
            allowed = sorted({known for entry in naming for known in entry.models})
            raise SesaHandError(
                f"The model {quote(model)} is not allowed at {endpoint.address}: {self.path} names "
                f'{", ".join(allowed)[:300]} there. Choose one of these, or add it to "models".'
            )
        if endpoint.is_loopback and is_forwarded(model):
            raise SesaHandError(
                f"An Ollama that is signed in sends what the model {quote(model)} is asked to its maker, so nothing "
                "was sent: a workflow from elsewhere must not be able to send your pictures away. If you want that, "
                f'add an entry to {self.path}, for example {{"cloud": {{"hosts": ["{endpoint.address}"], "models": '
                f"[{json.dumps(model[:80])}]}}}}."
            )

    def _named(self, entries: dict[str, "_Entry"], name: str) -> "_Entry":
        if not NAME.fullmatch(name):
            # Not repeated: it may well be a key.
            raise SesaHandError(
                f"The credential must be the name of an entry in {self.path} (at most 24 letters, digits, '.', '_', "
                "'-'), never the key itself. If a key was pasted here, treat it as published and replace it."
            )
        if name not in entries:
            known = (
                f"It has {', '.join(sorted(entries))}."
                if entries
                else 'It is missing or empty; an entry reads {"name": {"hosts": ["api.example.com"], "key": "..."}}'
            )
            # The name is not repeated either: a short key looks like one.
            raise SesaHandError(
                f"The credential that was chosen is not an entry of {self.path}. {known} If a key was pasted here, "
                "treat it as published and replace it."
            )
        return entries[name]

    def _read(self) -> dict[str, "_Entry"]:
        path = self.path
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            # Without the cause, which carries the text of the file.
            reason = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise InvalidFileError(
                f"The credentials file {path} cannot be read as JSON ({reason}). Correct it, or check that you may "
                "read it."
            ) from None
        if not isinstance(content, dict):
            raise InvalidFileError(f"The credentials file {path} should hold a JSON object of named entries.")
        entries = {name: _Entry.parse(path, name, fields) for name, fields in content.items()}
        if any(entry.stored for entry in entries.values()):
            _warn_if_readable_by_others(path)
        return entries


@dataclass(frozen=True, repr=False)
class _Entry:
    name: str
    hosts: tuple[str, ...]
    stored: str
    env: str
    allow_http: bool
    models: tuple[str, ...] = ()

    @classmethod
    def parse(cls, path: Path, name: str, fields) -> "_Entry":
        def wrong(what: str) -> InvalidFileError:
            shown = repr(name) if NAME.fullmatch(name) else "with a name longer than 24 or with odd characters"
            return InvalidFileError(f"The entry {shown} of {path} {what}")

        if not NAME.fullmatch(name) or not isinstance(fields, dict) or not set(fields) <= FIELDS:
            raise wrong(f"should be a short name and an object of {', '.join(sorted(FIELDS))}.")
        hosts, key, env = fields.get("hosts"), fields.get("key", ""), fields.get("env", "")
        if not isinstance(hosts, list) or not hosts or not all(isinstance(host, str) for host in hosts):
            raise wrong('needs "hosts", a list of the hosts that it is for.')
        if not isinstance(key, str) or not isinstance(env, str) or (key and env):
            raise wrong('takes either "key" or "env" (the name of an environment variable), as text.')
        models = fields.get("models", [])
        if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
            raise wrong('takes "models" as a list of the names of models.')
        if not isinstance(fields.get("allow_http", False), bool) or (fields.get("allow_http") and (key or env)):
            raise wrong('can say "allow_http": true only without a key, which must not travel in the clear.')
        for host in hosts:
            try:
                parse_host_entry(host)
            except SesaHandError as error:
                raise wrong(f"has a host that cannot be read: {error}") from None
        return cls(name, tuple(hosts), key, env, fields.get("allow_http", False), tuple(models))

    def covers(self, endpoint: Endpoint) -> bool:
        usual = DEFAULT_PORTS[endpoint.scheme]
        allowed = [(host, port or usual) for host, port in map(parse_host_entry, self.hosts)]
        return (endpoint.host, endpoint.port) in allowed

    def reaches(self, endpoint: Endpoint) -> bool:
        """Whether it covers an endpoint, or names this machine in another way where the endpoint is on it."""
        if self.covers(endpoint) or not endpoint.is_loopback:
            return self.covers(endpoint)
        usual = DEFAULT_PORTS[endpoint.scheme]
        hosts = map(parse_host_entry, self.hosts)
        return any(is_this_machine(host) and (port or usual) == endpoint.port for host, port in hosts)

    def key(self) -> str:
        key = (os.environ.get(self.env, "") if self.env else self.stored).strip()
        if self.env and not key:
            raise SesaHandError(
                f"The environment variable {self.env} of credential {self.name!r} is not set in the process that runs "
                "this. Set it and start that anew."
            )
        if not re.fullmatch(r"[\x21-\x7e]*", key):
            raise SesaHandError(
                f"The key of credential {self.name!r} holds spaces, line breaks or non-ASCII characters. Copy the key "
                "alone."
            )
        return key


def _warn_if_readable_by_others(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("%s holds keys and other users of this machine can read it; run: chmod 600 on it", path)
