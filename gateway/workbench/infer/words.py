"""Names of fields: do they speak of the person a record belongs to, of somebody else, of a thing?

Promise 5, "owner, not mention": a payment names a counterparty, a message its recipient. They are
in the record, and it is not theirs. Which word means what is a matter of vocabulary, and all of
the vocabulary is here.
"""

import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

from gateway.inspection.locators import Step


class Role(Enum):
    """Whom or what a name speaks of."""

    OWNER = "a word for an owner"
    AUTHOR = "a word for whoever wrote it"
    THIRD = "a word for a third person"
    THING = "a word for a thing"
    NAME = "a person's name, which is no identifier"
    PLAIN = "no word that says whose it is"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VOCABULARY = {
    Role.THIRD: _words(
        "counterparty counterpart recipient receiver sender payee payer creditor debtor"
        " beneficiary contact friend partner participant attendee guest emergency referrer"
        " referer reviewer assignee approver agent practitioner provider performer recorder"
        " asserter doctor physician employer merchant seller shop vendor supplier spouse"
        " parent mother father guardian child from to cc bcc peer invitee inviter invited"
        " invite assigned updated modified mentions mentioned reply caller callee passenger"
        " other relative witness winner opponent follower following support requester"
        " responder buyer driver rider host landlord tenant remitter ultimate issuer"
        " empfaenger empfänger absender auftraggeber begünstigter beguenstigter gegenpartei"
        " gegenkonto ansprechpartner"
    ),
    Role.OWNER: _words(
        "patient subject customer account owner holder user username userid member subscriber"
        " client person individual employee student citizen resident taxpayer insured"
        " policyholder consumer cardholder shopper profile data_subject login iban msisdn"
        " email mail sub uid kunde kunden kundennummer konto kontoinhaber inhaber benutzer"
        " nutzer mitglied versicherte versicherter mitarbeiter titulaire client_id cliente"
        " usuario"
    ),
    Role.AUTHOR: _words(
        "creator author created poster uploader speaker writer verfasser ersteller"
    ),
    Role.THING: _words(
        "encounter order invoice transaction payment topic message thread conversation group"
        " space device source target project organization organisation company tenant session"
        " request event item product sku article code coding system resource type category"
        " status state currency country language locale version build batch file path folder"
        " page cursor token ticket issue merge commit branch pipeline job task step run trace"
        " span correlation location place store site region zone bank bic branch card balance"
        " link href url uri meta metadata profile_url extension schema object kind unit amount"
        " price plan subscription coupon discount charge refund dispute transfer payout quote"
        " import export notification attachment recording transcript image photo video"
        " document bestellung rechnung artikel level at on date time timestamp count score"
        " rank size age gender sex tier mode flag version rate ratio total sum percent limit"
        " quota period duration reason result scope permission application app integration"
        " webhook campaign survey question answer department"
    ),
    Role.NAME: _words(
        "name names firstname lastname givenname familyname surname given family display"
        " displayname nickname fullname title text description note comment subjectline"
        " vorname nachname beschreibung address street city postcode zip country"
    ),
}
_KNOWN = frozenset[str]().union(*_VOCABULARY.values())
_ORDER = (Role.THIRD, Role.AUTHOR, Role.OWNER, Role.THING)

ATTRIBUTES = _words("email mail iban msisdn login username phone")
"""Words for what a person has, not for who they are: beside an identifier they tell of the same."""

_GENERIC = _words(
    "id ids identifier identifiers reference ref value uuid guid number no nr num key code_id"
    " nummer kennung public primary external internal legacy data attributes by"
)
_SUFFIXES = ("identifier", "nummer", "number", "uuid", "guid", "nr", "no", "num", "id", "key")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """`"customerId"`, `"customer_id"`, `"CUSTOMERID"` → `("customer", "id")`."""
    found: list[str] = []
    for word in _WORD.findall(name[:256]):
        lower = word.lower()
        found += _parted(lower)
    return tuple(found)


def _parted(word: str) -> tuple[str, ...]:
    if word in _KNOWN or word in _GENERIC:
        return (word,)
    for suffix in _SUFFIXES:
        stem = word.removesuffix(suffix)
        if stem != word and (stem in _KNOWN or singular(stem) in _KNOWN):
            return stem, suffix
    return (word,)


def singular(word: str) -> str:
    """`accounts` → `account`, `companies` → `company`; as good as its use here needs."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        return word[:-1]
    return word


def is_generic(name: str) -> bool:
    """Whether a name says only that it is an identifier, as `id` does, and not whose."""
    return all(word in _GENERIC or word.isdigit() for word in words(name))


def role(steps: Sequence[Step]) -> tuple[Role, str]:
    """Whom the names on a path speak of, and the word that says so.

    One third person anywhere makes it theirs (`$.counterparty.account`). Else the innermost name
    that says anything counts, and in it the last word: a `user_type` is a type.
    """
    names = [words(step) for step in steps if isinstance(step, str)]
    for name in names:
        for word in name:
            if _spoken(word)[0] is Role.THIRD:
                return _spoken(word)
    if names and any(word in _VOCABULARY[Role.NAME] for word in names[-1]):
        return Role.NAME, names[-1][-1]
    attribute = Role.PLAIN, ""
    for name in reversed(names):
        for word in reversed(name):
            who = Role.PLAIN if word in _GENERIC else _spoken(word)[0]
            if word in ATTRIBUTES:
                # An address is somebody's: `$.creator.email` is the creator's.
                attribute = who, word
            elif who is Role.THING and attribute[1]:
                return attribute
            elif who is not Role.PLAIN:
                return _spoken(word)
    return attribute


def _spoken(word: str) -> tuple[Role, str]:
    for who in _ORDER:
        for form in (word, singular(word)):
            if form in _VOCABULARY[who]:
                return who, form
    return Role.PLAIN, word


def entity(steps: Sequence[Step]) -> str:
    """The innermost word on a path that is more than a generic one: `customer`; empty if none."""
    for step in reversed(steps):
        if isinstance(step, str):
            for word in reversed(words(step)):
                if word not in _GENERIC and not word.isdigit():
                    return singular(word)
    return ""


def person(steps: Sequence[Step]) -> str:
    """The outermost word on a path for a person, else for anything: `user` for `user.email`."""
    found = [word for step in steps if isinstance(step, str) for word in words(step)]
    named = [word for word in found if word not in _GENERIC and not word.isdigit()]
    persons = [word for word in named if _spoken(word)[0] in (Role.OWNER, Role.AUTHOR, Role.THIRD)]
    return singular((persons or named or [""])[0])
