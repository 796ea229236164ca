"""The demo people as a mail provider knows them, with the addresses of the simulated Salesforce. Passwords: `demo`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    key: str
    first: str
    last: str
    email: str
    administrator: bool = False

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    @property
    def domain(self) -> str:
        return self.email.partition("@")[2]


ACME = (
    Person("alice", "Alice", "Anderson", "alice@acme.example", administrator=True),
    Person("bob", "Bob", "Brown", "bob@acme.example"),
    Person("erin", "Erin", "Eriksen", "erin@acme.example"),
    Person("dana", "Dana", "Davies", "dana@acme.example"),
    Person("rita", "Rita", "Reyes", "rita@acme.example"),
)
GLOBEX = (
    Person("charlie", "Charlie", "Chen", "charlie@globex.example", administrator=True),
    Person("gina", "Gina", "Garcia", "gina@globex.example"),
)
#: A company whose administrators decide which apps may be used.
INITECH = (
    Person("ada", "Ada", "Abara", "ada@initech.example", administrator=True),
    Person("nina", "Nina", "Novak", "nina@initech.example"),
)
