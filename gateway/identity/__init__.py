"""Token → `Caller` with typed identifiers: who asks, proven.

    settings       which issuers are believed, and which of their claims name a person
    tokens         Authorization field lines → verified claims; nothing else makes them
    jwks           a JWK set document → verifying keys; poisoned ones are left out and counted
    keys           the room's only outside: fetches key sets, keeps the last good one, ages it
    claims         verified claims → Caller
    authenticator  the steps in order, for every configured issuer

An unverified token chooses which pinned issuer it is checked against, and nothing more: never the
algorithm, the key's address or the type of check.
"""
